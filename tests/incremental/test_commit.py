"""What a full disk leaves of a commit."""

import errno

import numpy as np
import pandas as pd
import pytest

from cifar_pipelines.common.disk import disk_error
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.incremental import commit
from cifar_pipelines.incremental.commit import Commits
from cifar_pipelines.incremental.states import draft


def keep(folder, sequence, value):
    drafts = {"ridge": draft(folder, "ridge", {"weights": np.full(4, value)})}
    Commits(folder, {"course": 1}).keep(sequence, drafts, pd.DataFrame({"first": [sequence]}))


@pytest.mark.parametrize("full_at", [0, 1, 2, 3, 4])
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
    assert latest.next_sequence == (3 if full_at == 4 else 2)
    assert latest.states["ridge"]["weights"].tolist() == [2.0 if full_at == 4 else 1.0] * 4
    assert Commits(tmp_path, {"course": 1}).rows(latest.next_sequence)["first"].tolist() == [2, 3][: 1 + (full_at == 4)]
    assert [path.name for path in tmp_path.iterdir() if not path.name.isdigit()] == ["rows"]
    keep(tmp_path, 4, 3.0)
    assert Commits(tmp_path, {"course": 1}).latest().next_sequence == 4


def fills_the_disk_with(half):
    """What writes half a file and finds the disk full; `half` says where to."""

    def write(*given, **_):
        half(*given)
        raise OSError(errno.ENOSPC, "No space left on device")

    return write


@pytest.mark.parametrize(
    ("where", "name", "half"),
    [
        (np, "savez", lambda file, *_: file.write(b"PK")),
        (pd.DataFrame, "to_parquet", lambda _, file: file.write_bytes(b"PAR1")),
    ],
)
def test_half_a_state_or_table_of_a_full_disk_is_never_read(tmp_path, monkeypatch, where, name, half):
    keep(tmp_path, 2, 1.0)
    with monkeypatch.context() as patch:
        patch.setattr(where, name, fills_the_disk_with(half))
        with pytest.raises(OSError, match="No space left") as full:
            keep(tmp_path, 3, 2.0)
    assert "cannot be written: No space left on device. Free some space" in disk_error(full.value).message
    commits = Commits(tmp_path, {"course": 1})
    latest = commits.latest()
    assert (latest.next_sequence, latest.states["ridge"]["weights"].tolist()) == (2, [1.0] * 4)
    assert commits.rows(2)["first"].tolist() == [2]
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file() and not path.parent.name.isdigit()) == [
        f"{2:020d}.parquet"
    ]
    keep(tmp_path, 3, 2.0)
    assert commits.latest().next_sequence == 3 and commits.rows(3)["first"].tolist() == [2, 3]


def test_rows_that_cannot_be_read_are_named_with_a_remedy(tmp_path):
    keep(tmp_path, 2, 1.0)
    (part,) = (tmp_path / "rows").iterdir()
    part.write_bytes(b"PAR1")
    with pytest.raises(
        UserError, match=rf"{part.name}, which holds .* cannot be read \(\w+\). Put it back, or begin anew"
    ):
        Commits(tmp_path, {"course": 1}).rows(2)


def test_a_commit_that_is_half_forgotten_is_none(tmp_path, monkeypatch):
    keep(tmp_path, 2, 1.0)

    def killed(folder, **_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(commit.shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            Commits(tmp_path, {"course": 1}).forget()
    assert (tmp_path / f"{2:020d}" / "ridge.npz").exists()
    assert Commits(tmp_path, {"course": 1}).latest() is None and not (tmp_path / f"{2:020d}").exists()
    keep(tmp_path, 2, 3.0)
    assert Commits(tmp_path, {"course": 1}).latest().states["ridge"]["weights"][0] == 3.0
