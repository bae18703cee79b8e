"""Blocks of the configuration, checked against the arguments or the dataclass that they are meant for."""

import inspect
import math
import types
import typing
from collections.abc import Callable, Container, Mapping
from dataclasses import is_dataclass
from typing import Annotated, Any, NamedTuple, TypeVar

from cifar_pipelines.common.errors import UserError, unknown_name

T = TypeVar("T")


class Range(NamedTuple):
    """What an option may be, where its annotation says so: `Annotated[int, Range(1)]`; `above` leaves out the lower end."""

    least: float
    most: float = math.inf
    above: bool = False


_IN_WORDS = {
    int: "a whole number", float: "a number", bool: "true or false",
    str: "text", dict: "names and values", type(None): "null",
}  # fmt: skip


def build(target: Callable[..., T], block: object, what: str, **given: Any) -> T:
    """Calls a dataclass or function with a block of the configuration, once that is checked, and other arguments.

    Raises:
        UserError: As `checked_options` does, or if a value breaks a rule of `target`.
    """
    return target(**given, **checked_options(target, block, what, given))


def checked_options(target: Callable, block: object, what: str, given: Container[str] = ()) -> dict[str, Any]:
    """Checks names and types of a block; annotations, else defaults, say which type and `Range` each value has.

    Args:
        target: A dataclass, whose fields are the legal names, or a function or class, whose keyword-only arguments are.
        block: Names and values; None is an empty block.
        what: What the block describes, such as "the recipe"; appears in messages.
        given: Names that do not come from the block.

    Returns:
        The values, with whole numbers made float where a float is wanted, and blocks built where a dataclass is.

    Raises:
        UserError: If the block is no mapping, a name is unknown or missing, or a value has another type or is out of range.
    """
    wanted = {
        name: parameter
        for name, parameter in inspect.signature(target).parameters.items()
        if (is_dataclass(target) or parameter.kind is parameter.KEYWORD_ONLY) and name not in given
    }
    if block is None:
        block = {}
    if not isinstance(block, Mapping):
        names = ", ".join(wanted) or "none, for there are no options"
        raise UserError(f"The options of {what} are {block!r}, but must be names and values: {names}.")
    for key in block:
        if key not in wanted:
            if not wanted:
                raise UserError(f"Unknown option {key!r}: {what} has none. Remove it.")
            raise unknown_name("option", key, wanted, f"These are the options of {what}.")
    required = [name for name, parameter in wanted.items() if parameter.default is parameter.empty]
    if missing := [name for name in required if name not in block]:
        raise UserError(f"{what[:1].upper()}{what[1:]} lacks {', '.join(missing)}. Add what is missing.")
    return {key: _checked(wanted[key], value, what) for key, value in block.items()}


ALL = "all"  # instead of a number of images: all that there are


def whole_or_all(name: str, value: object, least: int) -> None:
    """Raises a `UserError` for a value that is neither "all" nor a whole number of at least `least`."""
    if value != ALL:
        whole(name, value, least)


def whole(name: str, value: object, least: int, most: float = math.inf) -> None:
    """Raises a `UserError` for a value that is no whole number, or a smaller or greater one."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        rule = f"of at least {least}" if most == math.inf else f"from {least} to {most:,}"
        raise UserError(f"{name} is {value!r}, but must be a whole number {rule}.")


def number(
    name: str, value: float, least: float, most: float = math.inf, *, above: bool = False, below: bool = False
) -> None:
    """Raises a `UserError` for a value outside [least, most], of which `above` and `below` leave out the two ends."""
    high = most < math.inf
    if not (least < value if above else least <= value) or not (value < most if below or not high else value <= most):
        rule = f"above {least:.10g}" if above else f"from {least:.10g}" if high else f"of at least {least:.10g}"
        rule += f" {'to below' if below else 'to'} {most:.10g}" if high else ""
        raise UserError(f"{name} is {value!r}, but must be a number {rule}.")


def flatten(block: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested blocks as one level: names joined by dots."""
    flat: dict[str, Any] = {}
    for key, value in block.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def differing(before: Mapping[str, Any], now: Mapping[str, Any], where: str) -> list[str]:
    """Names every value in which two nested blocks differ, with both values.

    Args:
        before: The block that was kept.
        now: The block of this run.
        where: Where `before` was kept, such as "checkpoint".
    """
    theirs, ours = flatten(before), flatten(now)
    return [
        f"{key} ({where}: {theirs.get(key, 'absent')}; now: {ours.get(key, 'absent')})"
        for key in sorted(theirs.keys() | ours.keys())
        if theirs.get(key) != ours.get(key)
    ]


def _checked(parameter: inspect.Parameter, value: Any, what: str) -> Any:
    kinds = _kinds(parameter)
    if len(kinds) == 1 and is_dataclass(kinds[0]):
        return build(kinds[0], value, f"the block {parameter.name} of {what}")
    if not kinds or type(value) in kinds or (float in kinds and type(value) is int):  # not isinstance: True is an int
        for rule in getattr(parameter.annotation, "__metadata__", ()):
            number(f"The option {parameter.name!r} of {what}", value, rule.least, rule.most, above=rule.above)
        return float(value) if kinds and type(value) not in kinds else value
    if type(parameter.default) in kinds:
        example = f"a value such as {parameter.default!r}"
    else:
        example = " or ".join(_IN_WORDS.get(kind, kind.__name__) for kind in kinds)
    names = " or ".join(kind.__name__ for kind in kinds)
    raise UserError(
        f"The option {parameter.name!r} of {what} is {value!r}, which is not of the type {names}. Give {example}."
    )


def _kinds(parameter: inspect.Parameter) -> tuple[type, ...]:
    """The types that a value may have; none where any type is right."""
    annotation = parameter.annotation
    if typing.get_origin(annotation) is Annotated:
        annotation = annotation.__origin__
    if annotation is Any:
        return ()
    if annotation is parameter.empty or isinstance(annotation, str):
        return () if parameter.default is parameter.empty else (type(parameter.default),)
    union = typing.get_origin(annotation) in (types.UnionType, typing.Union)
    alternatives = typing.get_args(annotation) if union else (annotation,)
    return tuple(typing.get_origin(kind) or kind for kind in alternatives)
