import errno

import pytest

from cifar_pipelines.common.disk import disk_error, disk_errors_explained
from cifar_pipelines.common.errors import UserError


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "cannot be written: .*Free some space"),
        (errno.EACCES, "is closed to this user: Says the system. Open it"),
        (errno.EROFS, "is closed to this user: .*a copy does as well"),
    ],
)
def test_a_full_or_a_closed_disk_is_explained(number, words):
    with pytest.raises(UserError, match=f"^/x/table {words}"), disk_errors_explained():
        raise OSError(number, "Says the system", "/x/table")


def test_an_error_of_the_disk_is_found_behind_others_and_no_other_is_taken_for_one():
    behind = RuntimeError("failed")
    behind.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert "A file cannot be written: No space" in disk_error(behind).message
    assert disk_error(OSError(errno.ENOENT, "No such file")) is None
    with pytest.raises(FileNotFoundError), disk_errors_explained():
        raise FileNotFoundError(errno.ENOENT, "No such file")
