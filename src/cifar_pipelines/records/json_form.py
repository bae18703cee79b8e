"""Frozen dataclasses as blocks of JSON: the names of their fields are the keys."""

import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def from_json(kind: type[T], block: Mapping[str, Any]) -> T:
    """Builds a dataclass from a block of JSON; keys that it does not know are ignored.

    What is missing or null gets the default of its field, and None where there is none.

    Raises:
        TypeError: If a value has another type than its field.
        ValueError: If text stands for a number and is none.
    """
    if not isinstance(block, Mapping):
        raise TypeError(f"{kind.__name__} is {block!r}, but must be an object")
    hints = _hints(kind)
    values = {
        field.name: _built(hints[field.name], block[field.name])
        for field in fields(kind)
        if block.get(field.name) is not None
    }
    return kind(**{field.name: None for field in fields(kind) if not _is_optional(field)} | values)


def to_json(part: Any) -> dict[str, Any]:
    """Writes a dataclass as a block of JSON; a field that has a default is left out where it holds nothing."""
    return {
        field.name: _plain(value)
        for field in fields(part)
        if ((value := getattr(part, field.name)) is not None and value not in ((), {}, "")) or not _is_optional(field)
    }


# A folder holds hundreds of records of a dozen blocks each.
_hints = cache(get_type_hints)


def _is_optional(field: Field) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


def _built(hint: Any, value: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        (hint,) = (kind for kind in get_args(hint) if kind is not types.NoneType)
    if is_dataclass(hint):
        return from_json(hint, value)
    if get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            raise TypeError(f"{value!r} is not a list")
        return tuple(_built(get_args(hint)[0], item) for item in value)
    return hint(value) if hint in (int, float, str, bool) else value


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return to_json(value)
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
