"""What a full disk leaves of a commit."""

import errno

import numpy as np
import pytest

from cifar_pipelines.incremental import commit
from cifar_pipelines.incremental.commit import Commits, draft


def keep(folder, sequence, value):
    drafts = {"ridge": draft(folder, "ridge", {"weights": np.full(4, value)})}
    Commits(folder, {"course": 1}).keep(sequence, drafts)


@pytest.mark.parametrize("full_at", [0, 1, 2])
def test_a_disk_that_is_full_leaves_the_commit_before_and_nothing_half_written(tmp_path, monkeypatch, full_at):
    keep(tmp_path, 2, 1.0)
    to_disk, calls = commit._to_disk, []

    def full(path):
        calls.append(path)
        if len(calls) > full_at:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        to_disk(path)

    with monkeypatch.context() as patch:
        patch.setattr(commit, "_to_disk", full)
        with pytest.raises(OSError, match="No space left on device"):
            keep(tmp_path, 3, 2.0)
    latest = Commits(tmp_path, {"course": 1}).latest()
    # The last call is about the folder above: the commit itself was whole before it.
    assert latest.next_sequence == (3 if full_at == 2 else 2)
    assert latest.states["ridge"]["weights"].tolist() == [2.0 if full_at == 2 else 1.0] * 4
    assert not [path.name for path in tmp_path.iterdir() if not path.name.isdigit()]
    keep(tmp_path, 4, 3.0)
    assert Commits(tmp_path, {"course": 1}).latest().next_sequence == 4
