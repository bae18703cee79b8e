"""Checks options from the configuration against the keyword-only arguments they are meant for."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from cifar_pipelines.common.errors import UserError, unknown_name


def checked_options(target: Callable, options: Mapping[str, Any] | None, what: str) -> dict[str, Any]:
    """Checks names and types; the defaults of the arguments say which type each has.

    Args:
        target: A function or class whose keyword-only arguments are the legal options.
        options: Names and values, as they stand in the configuration.
        what: Whose options they are, such as "the source 'synthetic'"; appears in messages.

    Returns:
        The options, with whole numbers made float where a float is wanted.

    Raises:
        UserError: If they are no mapping, a name is unknown, or a value has another type than the default.
    """
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise UserError(f"The options of {what} are {options!r}, but must be names and values.")
    parameters = inspect.signature(target).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    checked = {}
    for key, value in options.items():
        if key not in defaults:
            if not defaults:
                raise UserError(f"Unknown option {key!r}: {what} has none. Remove it.")
            raise unknown_name("option", key, defaults, f"These are the options of {what}.")
        kind = type(defaults[key])
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:  # not isinstance, because True is an int
            raise UserError(
                f"The option {key!r} of {what} is {value!r}, which is not of the type {kind.__name__}. "
                f"Give a value such as {defaults[key]!r}."
            )
        checked[key] = value
    return checked


def flatten(block: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested blocks as one level: names joined by dots."""
    flat: dict[str, Any] = {}
    for key, value in block.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat
