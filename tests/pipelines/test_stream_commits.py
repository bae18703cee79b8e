"""What learners of a stream go on from after a kill, an update or another run, without Spark."""

import errno
import json
import re
from importlib.metadata import version

import pandas as pd
import pytest
from tests.factories.course import ANEW, COURSE, LEARNERS, DyingCommits, KilledError, N, frames, take, times_of
from tests.factories.learners import block

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.locks import alone
from cifar_pipelines.incremental.commit import Commits
from cifar_pipelines.pipelines.streaming import learn_node
from cifar_pipelines.pipelines.streaming.specification import stream_of
from cifar_pipelines.streaming import journal
from cifar_pipelines.streaming.landing import Landing
from cifar_pipelines.streaming.wire import Frame, StreamImage


def without_times(rows):
    return rows.drop(columns="seconds").sort_values(["model", "first"], ignore_index=True)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("killed_in", [0, 1, 2])
def test_a_run_that_is_killed_goes_on_with_the_same_bits_and_rows(killed_in, after, tmp_path):
    states, rows = take(DyingCommits(tmp_path / "straight"), [(1, 5)])
    with pytest.raises(KilledError):
        take(DyingCommits(tmp_path / "killed", killed_in, after), [(1, 2), (3, 3), (4, 5)])
    again, rows_again = take(DyingCommits(tmp_path / "killed"), [(1, 3), (2, 5)])
    assert again == states
    pd.testing.assert_frame_equal(without_times(rows_again), without_times(rows), check_dtype=False)
    assert (rows.groupby("model")["images"].sum() == N).all()


def test_rows_that_are_gone_are_noticed(tmp_path):
    commits = DyingCommits(tmp_path)
    take(commits, [(1, 2), (3, 3), (4, 5)])
    assert (learn_node._rows(commits, 6, list(LEARNERS)).groupby("model")["images"].sum() == 112).all()
    assert set(learn_node._rows(commits, 6, ["stream_mlp"])["model"]) == {"stream_mlp"}
    sorted((tmp_path / "rows").iterdir())[1].unlink()
    with pytest.raises(
        UserError, match=r"nothing is there of what was said of images before image \d+ of stream_\w+ while"
    ):
        learn_node._rows(commits, 6, list(LEARNERS))


FULL = r"_committed.json cannot be written: No space left on device. Free some space"


def test_commits_know_whose_stream_they_are_of(tmp_path):
    commits = DyingCommits(tmp_path)
    commits.producers = {"one": "digest"}
    take(commits, [(1, 5)])
    assert DyingCommits(tmp_path).latest().producers == {"one": "digest"}
    (said,) = (file for file in tmp_path.glob("*/commit.json"))
    older = json.loads(said.read_text())
    del older["producers"]
    said.write_text(json.dumps(older))
    assert DyingCommits(tmp_path).latest().producers == {}


def test_states_of_other_versions_are_refused_by_name_unless_learning_begins_anew(tmp_path):
    take(DyingCommits(tmp_path), [(1, 5)])
    assert DyingCommits(tmp_path).latest().next_sequence == 6
    (said,) = tmp_path.glob("*/commit.json")
    kept = json.loads(said.read_text())
    for name in ("numpy", "scipy", "scikit-learn", "torch"):
        said.write_text(json.dumps(kept | {"versions": kept["versions"] | {name: "0.1"}}))
        with pytest.raises(UserError, match=rf"with {name} 0.1 \(now {re.escape(version(name))}\), .* {ANEW}"):
            DyingCommits(tmp_path).latest()
    stream = stream_of(block(tmp_path / "stream", resume=False, engine="driver"))
    assert learn_node._begin(None, COURSE, stream, DyingCommits(tmp_path), None).next_sequence == 1


def test_an_older_commit_that_does_not_know_all_versions_goes_on(tmp_path):
    take(DyingCommits(tmp_path), [(1, 5)])
    (said,) = tmp_path.glob("*/commit.json")
    kept = json.loads(said.read_text())
    for versions in ({}, {"numpy": version("numpy")}):
        said.write_text(json.dumps(kept | {"versions": versions}))
        assert DyingCommits(tmp_path).latest().next_sequence == 6
    del kept["versions"]
    said.write_text(json.dumps(kept))
    assert DyingCommits(tmp_path).latest().next_sequence == 6


def killed(*_):
    raise KilledError


def finds_the_disk_full(file, *_):
    raise OSError(errno.ENOSPC, "No space left on device", str(file))


@pytest.mark.parametrize(
    ("stops", "raised"),
    [(killed, pytest.raises(KilledError)), (finds_the_disk_full, pytest.raises(UserError, match=FULL))],
)
def test_the_room_of_learned_frames_comes_back_where_a_run_stopped_before_it_gave_it_back(
    stops, raised, tmp_path, monkeypatch
):
    stream, commits = stream_of(block(tmp_path / "stream", engine="driver")), Commits(tmp_path / "commits", {})
    folder = stream.folder

    def begin():
        return learn_node._begin(None, COURSE, stream, commits, lambda given: (given, times_of(given)))

    with Landing(folder, 2, ["here"]) as landing:
        landing.admit("one", {"digest": "digest", "classes": COURSE.task.classes}, "here")
        for number in (1, 2):
            landing.land("one", Frame(number, 0, 1.0, 1.0, (StreamImage("0.png", 0, b""),)))
        with monkeypatch.context() as patch, raised:
            patch.setattr(journal, "write_durably", stops)
            begin()(frames(1, 2), 0)
        assert (commits.latest().next_sequence, landing.until("one")) == (3, 2)
        assert begin().next_sequence == 3
        assert landing.until("one") == 4


def test_two_runs_do_not_learn_in_one_place(tmp_path):
    stream, commits = stream_of(block(tmp_path / "stream")), tmp_path / "commits"
    features_info = dict.fromkeys(learn_node.FEATURES)
    refused = rf"Another run learns in {commits}\. Wait until it has ended"
    with alone(commits / "lock", "free"):
        with pytest.raises(UserError, match=refused):
            learn_node.learn(COURSE, stream, features_info, {}, None, commits, tmp_path, None)
        with pytest.raises(UserError, match=refused):
            learn_node.forget_commits(commits, {"run_id": "one"})
    assert learn_node.forget_commits(commits, {"run_id": "one"}) == "one"
