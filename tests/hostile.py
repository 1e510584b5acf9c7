"""Damages the files of a result folder as a stranger might do."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path

SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(1)>'
TEXTS = [
    SCRIPT,
    IMAGE,
    "</script>",
    "\x1b[31mred\x1b]0;title\x07",
    "a|b\nc",
    "[bold]x[/nothing]",
    "%{x} {0} {{7*7}} %s",
    "$\\frac{$",
    "",
    "../outside/canary",
    "/etc/passwd",
    "..",
    "a/b",
    "\x00",
    "\ud800",
    "\u202e",
    "x" * 50_000,
    "nan",
    "=1+1",
    "small",
    "ok",
    "failed",
    "different",
    "floor",
    "again",
    "tuned",
    "activated",
    "True",
]
NUMBERS = [
    0,
    -1,
    1,
    2,
    10**6,
    2**53,
    2**63,
    10**400,
    0.5,
    -0.0,
    1e308,
    -1e308,
    1e-308,
    float("nan"),
    float("inf"),
    float("-inf"),
    True,
    None,
]


def deep(levels: int) -> list:
    value: list = []
    for _ in range(levels):
        value = [value]
    return value


def value_of(old: object, generator: random.Random):
    """Returns a value to put in the place of another; half of the time it has the same type."""
    if generator.random() < 0.5 and isinstance(old, (str, int, float)):
        return generator.choice([value for value in (*TEXTS, *NUMBERS) if type(value) is type(old)])
    return generator.choice(
        [
            lambda: generator.choice(TEXTS),
            lambda: generator.choice(NUMBERS),
            list,
            dict,
            lambda: deep(30),
            lambda: deep(300),
            lambda: [generator.choice(NUMBERS)] * 3,
            lambda: {generator.choice(TEXTS): generator.choice(NUMBERS)},
            lambda: [{}] * 2000,
        ]
    )()


def places(value: object) -> Iterator[tuple]:
    """Yields (container, key) for every value inside a nested value."""
    entries = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, entry in entries:
        yield value, key
        yield from places(entry)


def spoil(path: Path, generator: random.Random) -> str:
    """Changes a file in one way, which is chosen at random, and returns what it did."""
    content = path.read_bytes()
    ways = [
        _flip,
        _cut,
        _insert,
        *([_change_json] * 4 if path.suffix == ".json" else [_change_table] * 4),
    ]
    way = generator.choice(ways)
    path.write_bytes(way(content, generator))
    return f"{path.parent.name}/{path.name}: {way.__name__}"


def _flip(content: bytes, generator: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(generator.choice([1, 1, 3, 30])):
        changed[generator.randrange(len(changed))] = generator.randrange(256)
    return bytes(changed)


def _cut(content: bytes, generator: random.Random) -> bytes:
    return content[: generator.randrange(len(content))]


def _insert(content: bytes, generator: random.Random) -> bytes:
    place = generator.randrange(len(content))
    return (
        content[:place]
        + generator.choice([b"\x00", b"\xff\xfe", b'"', b"\n\n", b",", b"[" * 100_000, b"9" * 5000])
        + content[place:]
    )


def _change_json(content: bytes, generator: random.Random) -> bytes:
    value = json.loads(content)
    for _ in range(generator.choice([1, 1, 2])):
        container, key = generator.choice(list(places(value)))
        if generator.random() < 0.8:
            container[key] = value_of(container[key], generator)
        elif isinstance(container, dict):
            container[generator.choice(TEXTS)] = container.pop(key)
        else:
            container.insert(key, container[key])
    return json.dumps(value).encode()


def _change_table(content: bytes, generator: random.Random) -> bytes:
    rows = [line.split(",") for line in content.decode().splitlines()]
    for _ in range(generator.choice([1, 1, 10])):
        row = 0 if generator.random() < 0.15 else generator.randrange(len(rows))
        column = generator.randrange(len(rows[row]))
        old = rows[row][column]
        choices = NUMBERS if generator.random() < 0.6 and old.replace(".", "").isdigit() else TEXTS
        text = str(generator.choice(choices)).encode("utf-8", "replace").decode()
        if generator.random() < 0.3:  # Change a whole column.
            for entries in rows[1:]:
                entries[min(column, len(entries) - 1)] = text
        else:
            rows[row][column] = text
    if generator.random() < 0.2:
        rows = rows[:1] + rows[1:] * generator.choice([0, 2]) + rows[1:2]
    return "\n".join(",".join(row) for row in rows).encode()


def mend_digests(folder: Path) -> None:
    """Makes the digests in all records fit the files as they are now.

    A stranger who knows how the digests are made would do this.
    """
    for path in [*folder.glob("cells/*.json"), *folder.glob("rounds/*.json")]:
        try:
            record = json.loads(path.read_bytes())
            for name in record["sha256"]:
                record["sha256"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except (ValueError, TypeError, KeyError, OSError, RecursionError):
            continue
        path.write_text(json.dumps(record))
