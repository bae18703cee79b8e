"""Errors in code that somebody has written for the project: what went wrong, and in which of its files."""

import re
import traceback
from functools import cache
from importlib import resources

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.words import one_line

_TRACEBACK = "Traceback (most recent call last):"
# The last folder of that name in a path is the package, or else the one that the project was cloned into.
_FRAME = re.compile(r'File "[^"\n]*\bcifar_pipelines/([^"\n]+\.py)", line (\d+), in (\S+)')
_LONGEST = 400


class CodeError(UserError):
    """What went wrong in code, in a sentence; a run also says in which of its nodes, and where all of it is logged."""


def place_in_code(text: str) -> str:
    """The innermost place of the last traceback in a text that lies in the project's package, in brackets; empty for none."""
    frames = [frame for frame in _FRAME.findall(text.rpartition(_TRACEBACK)[2]) if frame[0].split("/")[0] in _rooms()]
    return " ({}, line {}, in {})".format(*frames[-1]) if frames else ""


@cache
def _rooms() -> frozenset[str]:
    """Folders and files of the package; a clone has others, such as `.venv` with all libraries, and `tests`."""
    return frozenset(one.name for one in resources.files("cifar_pipelines").iterdir())


def told(error: BaseException) -> str:
    """An error as its type, its message and its place in the project's package, in one line."""
    message = one_line(str(error), _LONGEST)
    name = type(error).__name__
    return f"{name}: {message}{place_in_code(whole(error))}" if message else f"{name}{place_in_code(whole(error))}"


def whole(error: BaseException) -> str:
    """An error with its traceback."""
    return "".join(traceback.format_exception(error))
