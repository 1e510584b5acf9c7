"""Dataclasses from JSON values, each value checked against its field's annotation.

Annotations are JSON's types, lists, dictionaries with texts for keys, dataclasses of them, and
alternatives. They are read as text, since Python 3.9 cannot evaluate `int | None`.

No library does this: msgspec 0.22 accepts unknown fields of dataclasses and evaluates annotations,
which fails on Python 3.9; cattrs 26 turns "0", 0.5 and True into whole numbers.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bench.results.files import RawFileError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Record = TypeVar("Record", bound="DataclassInstance")

_KINDS: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "bool": bool,
    "int": int,
    "float": (int, float),
    "dict": dict,
    "list": list,
    "None": type(None),
}


class _Mismatch(Exception):
    """A value does not have the type of its field. The message names the field."""


def as_record(kind: type[Record], values: object, path: Path) -> Record:
    """Returns a dataclass from the JSON object `values` of the file `path`.

    Raises:
        RawFileError: a field is missing, unknown or of another type.
    """
    try:
        return _record(kind, values, "it")
    except _Mismatch as error:
        raise RawFileError(
            path, f"has other fields than this version writes ({error}): measure again"
        ) from error


def as_fields(annotations: Mapping[str, str], values: object, path: Path) -> dict:
    """Returns the named fields of the JSON object `values` of the file `path`, and no others.

    Raises:
        RawFileError: a field is missing, or of another type.
    """
    try:
        return _fields(annotations, values, {}, "it")
    except _Mismatch as error:
        raise RawFileError(path, f"is not what this version writes ({error})") from error


def _record(kind: type[Record], values: object, place: str) -> Record:
    annotations = {field.name: str(field.type) for field in fields(kind)}
    required = {
        field.name
        for field in fields(kind)
        if field.default is MISSING and field.default_factory is MISSING
    }
    given = _fitted(values, "dict", {}, place)
    unknown = given.keys() - annotations.keys()
    if unknown:
        raise _Mismatch(f"{place} has a field {min(unknown)}")
    wanted = {
        name: annotation
        for name, annotation in annotations.items()
        if name in required or name in given
    }
    return kind(**_fields(wanted, given, vars(sys.modules[kind.__module__]), place))


def _fields(annotations: Mapping[str, str], values: object, names: Mapping, place: str) -> dict:
    given = _fitted(values, "dict", {}, place)
    missing = [name for name in annotations if name not in given]
    if missing:
        raise _Mismatch(f"{place} has no {missing[0]}")
    return {
        name: _fitted(given[name], annotation, names, name)
        for name, annotation in annotations.items()
    }


@functools.lru_cache
def _alternatives(annotation: str) -> list[str]:
    """Returns the alternatives of an annotation, split at each ` | ` outside of brackets."""
    return re.split(r" \| (?![^\[]*\])", annotation)


def _fitted(value: object, annotation: str, names: Mapping, place: str):
    """Returns `value` with the type `annotation`.

    Args:
        value: a JSON value.
        annotation: the type that it must have.
        names: the dataclasses that the annotation may name.
        place: the name of the field, for the message.

    Raises:
        _Mismatch: it has another type.
    """
    for kind in _alternatives(annotation):
        if kind.startswith("list[") and isinstance(value, list):
            return [_fitted(entry, kind[len("list[") : -1], names, place) for entry in value]
        if kind.startswith("dict[str, ") and isinstance(value, dict):
            return {
                key: _fitted(entry, kind[len("dict[str, ") : -1], names, place)
                for key, entry in value.items()
            }
        if isinstance(names.get(kind), type) and isinstance(value, dict):
            return _record(names[kind], value, place)
        if (
            kind in _KINDS
            and isinstance(value, _KINDS[kind])
            and isinstance(value, bool) == (kind == "bool")
        ):
            return float(value) if kind == "float" and isinstance(value, (int, float)) else value
    raise _Mismatch(f"{place} is no {annotation}")
