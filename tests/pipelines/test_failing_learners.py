"""Learners of a stream that fail by themselves, and what is no failure of theirs, without Spark."""

import errno
from types import SimpleNamespace

import pytest
from tests.factories.course import COURSE, DyingCommits, KilledError, N, take

from cifar_pipelines.common.own_code import CodeError, whole
from cifar_pipelines.incremental.commit import Commits
from cifar_pipelines.learners import find
from cifar_pipelines.pipelines.streaming import learning
from cifar_pipelines.pipelines.streaming.learning import MicroBatches, failed


@pytest.fixture
def failing(monkeypatch):
    """Returns a function that makes a class of learners fail at its first block."""

    def fail(kind):
        learn = kind._learn

        def learn_or_fail(self, x, y):
            if self.blocks == 0:
                raise ZeroDivisionError("too few features")
            learn(self, x, y)

        monkeypatch.setattr(kind, "_learn", learn_or_fail)

    return fail


@pytest.mark.parametrize("killed_in", [None, 1])
def test_a_learner_that_fails_by_itself_stops_no_other(killed_in, tmp_path, failing, caplog):
    expected, _ = take(DyingCommits(tmp_path / "straight"), [(1, 5)])
    failing(find("mlp"))
    groups, folder = [(1, 2), (3, 3), (4, 5)], tmp_path / "one"
    if killed_in is not None:
        with pytest.raises(KilledError):
            take(DyingCommits(folder, killed_in, after=True), groups)
        groups = groups[killed_in + 1 :]
    found, rows = take(DyingCommits(folder), groups)
    assert found == {"stream_ridge": expected["stream_ridge"]}
    assert rows.loc[rows["model"] == "stream_ridge", "images"].sum() == N
    failures = DyingCommits(folder).latest().failures
    (why,) = failures.values()
    assert why.startswith(
        "at frame 1 or just after it, ZeroDivisionError: too few features (learners/__init__.py, line "
    )
    assert f"stream_mlp failed ({why}) and is left out" in caplog.text
    said = str(failed(failures, ["stream_ridge"]))
    assert "stream_mlp failed (at frame 1" in said and "streaming.selected=stream_ridge" in said


def test_a_state_that_a_disk_does_not_give_is_no_failure_of_its_learner(tmp_path, monkeypatch):
    take(DyingCommits(tmp_path), [(1, 5)])
    commits = DyingCommits(tmp_path)

    def learn(model="stream_mlp"):
        return learning._take_in_task(COURSE, model, commits.newest_folder(), None, tmp_path)

    def broken(*_):
        raise OSError(errno.EIO, "Input/output error")

    taken = learn()
    assert taken.draft is not None and not taken.failure
    with monkeypatch.context() as patch:
        patch.setattr(learning, "load_state", broken)
        with pytest.raises(OSError, match="Input/output error"):
            learn()
    monkeypatch.setattr(find("mlp"), "load", broken)  # its own code
    assert "Input/output error" in learn().failure and not learn("stream_ridge").failure


def test_where_every_learner_that_is_asked_for_had_failed_before_no_engine_is_asked(tmp_path):
    engine = SimpleNamespace(take=lambda given, models: pytest.fail("no models are left"))
    batches = MicroBatches(engine, Commits(tmp_path, {}), None, None, 3, ["stream_mlp"], {"stream_mlp": "it broke"})
    with pytest.raises(CodeError, match=r"stream_mlp failed \(it broke\)"):
        batches.finish()


def cannot_be_made(self, task, *, hidden=6, replay=30, batch_size=8):
    raise KeyError("nothing")


def gives_no_state(self):
    raise KeyError("nothing")


@pytest.mark.parametrize(("name", "fails"), [("__init__", cannot_be_made), ("state", gives_no_state)])
def test_nor_does_one_that_cannot_be_made_or_gives_no_state(name, fails, tmp_path, monkeypatch):
    monkeypatch.setattr(find("mlp"), name, fails)
    found, _ = take(DyingCommits(tmp_path), [(1, 2), (3, 5)])
    assert set(found) == {"stream_ridge"}
    assert "KeyError: 'nothing'" in DyingCommits(tmp_path).latest().failures["stream_mlp"]


def test_where_every_learner_fails_the_run_ends_and_its_log_has_the_tracebacks(tmp_path, failing):
    for name in ("mlp", "ridge"):
        failing(find(name))
    with pytest.raises(CodeError, match=r"stream_ridge failed .*; stream_mlp failed .* learn anew with") as error:
        take(DyingCommits(tmp_path), [(1, 2), (3, 5)])
    assert len(str(error.value).splitlines()) == 1
    assert whole(error.value).count('raise ZeroDivisionError("too few features")') == 2
