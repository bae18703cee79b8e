"""Errors in code that somebody has written for the project: what went wrong, and in which of its files."""

import re
import traceback

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.words import one_line

_TRACEBACK = "Traceback (most recent call last):"
_FRAME = re.compile(r'File "[^"\n]*\bcifar_pipelines/([^"\n]+\.py)", line (\d+), in (\S+)')
_LONGEST = 400


class CodeError(UserError):
    """What went wrong in code, in a sentence; a run also says in which of its nodes, and where all of it is logged."""


def place_in_code(text: str) -> str:
    """The innermost place of the last traceback in a text that lies in the project's package, in brackets; empty for none."""
    frames = _FRAME.findall(text.rpartition(_TRACEBACK)[2])
    return " ({}, line {}, in {})".format(*frames[-1]) if frames else ""


def told(error: BaseException) -> str:
    """An error as its type, its message and its place in the project's package, in one line."""
    message = one_line(str(error), _LONGEST)
    name = type(error).__name__
    return f"{name}: {message}{place_in_code(whole(error))}" if message else f"{name}{place_in_code(whole(error))}"


def whole(error: BaseException) -> str:
    """An error with its traceback."""
    return "".join(traceback.format_exception(error))
