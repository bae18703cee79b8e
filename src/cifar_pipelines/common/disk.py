"""A disk that is full, or closed to this user."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from cifar_pipelines.common.errors import UserError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS}


def disk_error(error: BaseException | None) -> UserError | None:
    """What to say of an error, if it or one behind it is that of a full or closed disk; None for any other."""
    while error is not None and not (isinstance(error, OSError) and error.errno in _FULL | _CLOSED):
        error = error.__cause__ or error.__context__
    if error is None:
        return None
    name = error.filename or "A file"
    if error.errno in _FULL:
        remedy = "Free some space, then run the same command again; nothing half-written is believed."
        return UserError(f"{name} cannot be written: {error.strerror}. {remedy}")
    return UserError(
        f"{name} is closed to this user: {error.strerror}. Open it; a run keeps its data, logs and results in the folder "
        "of the project, of which a copy does as well."
    )


@contextmanager
def disk_errors_explained() -> Iterator[None]:
    """Turns an error of the disk into a `UserError`."""
    try:
        yield
    except OSError as error:
        if said := disk_error(error):
            raise said from error
        raise
