"""What must hold before anything is started; each check raises a UserError that says what to do."""

from __future__ import annotations

import tempfile
from importlib import metadata
from pathlib import Path

from bench.implementations import is_importable
from bench.results.cells import FOLDERS
from bench.task import UserError


def check_tensorflow(needs_estimator: bool) -> None:
    """TensorFlow is there, and with it Estimator if it is needed."""
    if not is_importable("tensorflow"):
        raise UserError(
            "TensorFlow is not installed: pip install -e . (or make bench) installs 2.15"
        )
    if needs_estimator and not is_importable("tensorflow_estimator"):
        raise UserError(
            f"TensorFlow {metadata.version('tensorflow')} as installed has no Estimator: "
            "pip install 'tensorflow==2.15.*', the last release with it, or leave estimator out of --impl"
        )


def check_writable(folder: Path) -> None:
    """The folder can be made and written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise UserError(f"--out {folder}: cannot be written ({error.strerror})") from error


def check_results(folder: Path) -> None:
    """What a run will empty is an earlier run's, and nobody else's."""
    for name in FOLDERS:
        if (folder / name).is_symlink():
            raise UserError(
                f"--out {folder}: its {name} is a symbolic link, and a run empties that folder: give another --out"
            )
    if not (folder / "environment.json").exists():
        found = [
            name for name in FOLDERS if name != "parity" and (folder / name).exists()
        ]  # 'parity' alone makes no run
        if found:
            raise UserError(
                f"--out {folder}: a run would empty its {', '.join(found)}, but there is no environment.json beside, "
                "so that it is no earlier run's: give another --out"
            )


def check_run_folder(folder: Path) -> None:
    """The folder holds a run, whose report can be made again."""
    if not (folder / "environment.json").is_file():
        raise UserError(
            f"{folder} holds no run: make one with 'python -m bench all --out {folder}'"
        )
