"""The text of `--params`: one way to read it and to write it, for every command that takes it or names another."""

import json
import math
import re
import shlex
from collections.abc import Mapping
from typing import Any

from cifar_pipelines.common.configuration import conf_source_arguments, followed, names_of_parameters
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import ALL, flatten

# What the configuration holds as null has no type there: it is text, these apart.
WHOLE_OR_NULL = ("input_size", "streaming.classes_per_phase")
WHOLE_OR_ALL = ("train_size", "test_size")
NUMBER_OR_NULL = ("streaming.drift_delta", "streaming.serve")

_WHOLE = re.compile(r"-?(0|[1-9][0-9]*(_[0-9]+)*)")
_NUMBER = re.compile(r"-?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+")
_TRUTH = {"true": True, "false": False}


def parse_params(text: str, env: str | None = None) -> dict[str, Any]:
    """Reads a text of `--params`: names with dots become blocks, and every value has the type that its name has.

    YAML is not asked: it would make 34 of the run name 0042, and cut a path at " #".

    Args:
        text: Parts name=value, joined by commas.
        env: The environment of the run, which may hold names of its own.

    Raises:
        UserError: If a part is not name=value, a name is there twice, or a value does not have the type of its name.
    """
    nested: dict[str, Any] = {}
    for name, value in split_params(text).items():
        *blocks, last = name.split(".")
        block = nested
        for part in blocks:
            block = block.setdefault(part, {})
            if not isinstance(block, dict):
                raise UserError(f"--params gives a value to {name} and to the block that it lies in. Leave one out.")
        if last in block:
            raise UserError(f"--params gives a value to {name} and to what lies in it. Leave one out.")
        block[last] = _typed(name, value, env)
    return nested


def split_params(text: str, option: str = "--params") -> dict[str, str]:
    """The parts of a text of `--params`, or of another option: values by name, as they are typed.

    Raises:
        UserError: If a part is not name=value, or a name is there with two values.
    """
    found: dict[str, str] = {}
    last = ""
    for part in filter(None, map(str.strip, text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not name:
            raise UserError(f"{option} holds {part!r}, but every part must be name=value.{_comma_within(last, part)}")
        if found.setdefault(name, value) != value:
            raise UserError(f"{option} gives {name} twice, as {found[name]!r} and as {value!r}. Leave one out.")
        last = part
    return found


def params_text(values: Mapping[str, Any]) -> str:
    """Values as one types them after `--params`, the inverse of `parse_params`."""
    return ",".join(f"{name}={_as_typed(value)}" for name, value in flatten(values).items())


def command_to_run(*pipelines: str) -> str:
    """The command that runs pipelines with all that the command under way was given, to be pasted."""
    command = ["kedro", "run", "--pipelines", ",".join(pipelines)]
    if (loader := followed()) is not None:
        options = {"--env": loader.env, "--params": params_text(loader.runtime_params or {})}
        command += [part for option, value in options.items() if value for part in (option, value)]
        command += conf_source_arguments()
    return shlex.join(command)


def _comma_within(before: str, part: str) -> str:
    """What to do where a comma was meant to be within a value."""
    if not before or "=" in part:
        return ""
    return (
        f" A comma parts parameters. If {part!r} belongs to the value before it, join names by +, as in {before}+{part}; "
        "a path with a comma can stand in conf/local/globals.yml."
    )


def _as_typed(value: Any) -> str:
    """Names of a list are joined by "+"; None is `null`."""
    if isinstance(value, (list, tuple)):
        return "+".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value)


def _typed(name: str, text: str, env: str | None) -> Any:
    """A value of the type that the configuration's own value has; guessed where it has none."""
    if "${" in text:
        raise UserError(f"{name} is {text!r}, but a value cannot hold '${{', which the configuration would replace.")
    base, here = names_of_parameters("base").values, names_of_parameters(env).values
    if name not in base and name not in here:
        return _guessed(text)
    own = base.get(name, here.get(name))
    if isinstance(own, Mapping):
        inside = f"{name}.{next(iter(own), '<name>')}"
        raise UserError(f"{name} is {text!r}, but it is a block. Give what lies in it, such as {inside}=<value>.")
    if isinstance(own, bool):
        return _wanted(name, text, _TRUTH.get(text.lower()), "true or false")
    if name in WHOLE_OR_ALL:
        return ALL if text == ALL else _wanted(name, text, _whole(text), "a whole number or all")
    if isinstance(own, int):
        return _wanted(name, text, _whole(text), "a whole number")
    if isinstance(own, float):
        return _wanted(name, text, _number(text), "a number")
    if own is None and text == "null":
        return None
    if name in WHOLE_OR_NULL:
        return _wanted(name, text, _whole(text), "a whole number or null")
    return _wanted(name, text, _number(text), "a number or null") if name in NUMBER_OR_NULL else text


def _wanted(name: str, text: str, value: Any, kind: str) -> Any:
    if value is None:
        zeros = " without zeros before it" if _LEADING_ZERO.fullmatch(text) else ""
        raise UserError(f"{name} is {text!r}, but must be {kind}{zeros}.")
    return value


def _guessed(text: str) -> Any:
    """A number, true, false or null where the text is written as one of them; the owner of the name checks the type."""
    if text == "null":
        return None
    truth = _TRUTH.get(text)
    number = _number(text)
    return next((value for value in (truth, number) if value is not None), text)


def _whole(text: str) -> int | None:
    return int(text) if _WHOLE.fullmatch(text) else None


def _number(text: str) -> float | int | None:
    """A whole number stays one, as in YAML: digests tell 1 from 1.0."""
    if (whole := _whole(text)) is not None:
        return whole
    return float(text) if _NUMBER.fullmatch(text) and math.isfinite(float(text)) else None
