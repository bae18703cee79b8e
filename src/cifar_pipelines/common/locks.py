"""Locks on files: one process at a time does what must not be done twice."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cifar_pipelines.common.errors import UserError


@contextmanager
def alone(file: Path, refusal: str) -> Iterator[None]:
    """Lets one process at a time hold a file, whose folder may not be there yet; however a process ends, its locks do.

    Raises:
        UserError: The refusal, if another one holds it.
    """
    from filelock import FileLock, Timeout

    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file, mode=0o666, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise UserError(refusal) from None
    try:
        yield
    finally:
        lock.release()
