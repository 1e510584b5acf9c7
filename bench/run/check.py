"""Checks that run before anything is started. Each raises a UserError that says what to do."""

from __future__ import annotations

import tempfile
from importlib import metadata
from pathlib import Path

from bench.implementations import is_importable
from bench.results.layout import FOLDERS
from bench.task import UserError


def check_tensorflow(needs_estimator: bool) -> None:
    """Checks that TensorFlow is installed, with Estimator if it is needed."""
    if not is_importable("tensorflow"):
        raise UserError(
            "TensorFlow is not installed: pip install -e . (or make bench) installs 2.15"
        )
    if needs_estimator and not is_importable("tensorflow_estimator"):
        raise UserError(
            f"TensorFlow {metadata.version('tensorflow')} as installed has no Estimator: "
            "pip install 'tensorflow==2.15.*', the last release with it, "
            "or leave estimator out of --impl"
        )


def check_writable(folder: Path) -> None:
    """Checks that the folder can be made and written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise UserError(f"--out {folder}: cannot be written ({error.strerror})") from error


def check_results(folder: Path) -> None:
    """Checks that the folders which a run will empty are those of an earlier run."""
    for name in FOLDERS:
        if (folder / name).is_symlink():
            raise UserError(
                f"--out {folder}: its {name} is a symbolic link, and a run empties that folder: "
                "give another --out"
            )
    if not (folder / "environment.json").exists():
        # A folder `parity` alone is not a run.
        found = [name for name in FOLDERS if name != "parity" and (folder / name).exists()]
        if found:
            raise UserError(
                f"--out {folder}: a run would empty its {', '.join(found)}, but there is no "
                "environment.json beside, so that it is no earlier run's: give another --out"
            )


def check_run_folder(folder: Path) -> None:
    """Checks that the folder holds a run, so that its report can be made again."""
    if not (folder / "environment.json").is_file():
        raise UserError(
            f"{folder} holds no run: make one with 'python -m bench all --out {folder}'"
        )
