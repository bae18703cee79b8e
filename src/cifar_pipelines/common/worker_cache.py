"""A cache of what a Python worker of Spark builds once per job, such as a network with its weights."""

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

_built: dict[str, Any] = {}


def built_once(job: str, build: Callable[[], T]) -> T:
    """Builds something at the first call for a job in this process, and returns the same at every further one.

    What an earlier job built is let go: a worker that is reused has no further use for it.
    """
    if job not in _built:
        _built.clear()
        _built[job] = build()
    return _built[job]
