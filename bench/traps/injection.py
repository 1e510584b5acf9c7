"""Writes copies of our implementations with a trap in them, as packages with their own names."""

from __future__ import annotations

import importlib.resources
import zlib
from pathlib import Path

from bench.implementations import IMPLEMENTATIONS
from bench.traps.trap import Trap

FILES = ("__init__.py", "network.py", "input.py", "observe.py", "train.py")


def write_sound(trap: Trap, implementation: str, folder: Path) -> str:
    """Returns the module name of the port without the trap.

    The port is our own implementation, or a package in `folder` if the trap needs an addition to
    the standard network. Traps with the same addition share that package.
    """
    sound = trap.sound.get(implementation, "")
    if not sound:
        return IMPLEMENTATIONS[implementation]
    return _write(
        implementation, [sound], f"{implementation}_sound_{zlib.crc32(sound.encode()):08x}", folder
    )


def write_trapped(trap: Trap, implementation: str, folder: Path) -> str:
    """Writes the port with the trap as a package in `folder`; returns its module name."""
    edits = [trap.sound.get(implementation, ""), trap.edits[implementation]]
    return _write(implementation, edits, f"{implementation}_with_{trap.name}", folder)


def _write(implementation: str, edits: list[str], name: str, folder: Path) -> str:
    package = IMPLEMENTATIONS[implementation]
    origin = importlib.resources.files(package)
    texts = {file: (origin / file).read_text() for file in FILES}
    for edit in edits:
        texts = edited(texts, edit)
    (folder / name).mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        (folder / name / file).write_text(text.replace(f"{package}.", f"{name}."))
    return name


def edited(texts: dict[str, str], edit: str) -> dict[str, str]:
    """Returns the files' texts after an edit; `bench.traps.trap.Edits` describes its format.

    Raises:
        ValueError: the lines to change do not occur exactly once: the implementation has changed.
    """
    texts = dict(texts)
    for hunk in edit.strip("\n").split("@@ ")[1:]:
        file, *lines = hunk.rstrip("\n").split("\n")
        before, after = (
            "".join(f"{line[1:]}\n" for line in lines if line[:1] in kept) for kept in ("- ", "+ ")
        )
        if texts[file].count(before) != 1:
            raise ValueError(
                f"{file} has {before!r} {texts[file].count(before)} times; an edit needs it once"
            )
        texts[file] = texts[file].replace(before, after)
    return texts
