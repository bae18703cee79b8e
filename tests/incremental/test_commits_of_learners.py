import numpy as np
import pandas as pd
import pytest
from tests.factories.incremental import CLASSES, N, as_bytes, frames, single, training

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.incremental.commit import Commits
from cifar_pipelines.incremental.states import digest, draft, hand_over, handed_over
from cifar_pipelines.incremental.training import Law

IDENTITY = {"learners": {"ridge": {"penalty": 0.01}}, "classes": list(CLASSES)}


def keep(commits, next_sequence, states, rows=None):
    drafts = {name: draft(commits.folder, name, state) for name, state in states.items()}
    commits.keep(next_sequence, drafts, rows)


def committed(folder, *ends):
    commits, run = Commits(folder, IDENTITY), training("ridge", Law(block=7))
    for end in ends:
        run.take(single(*range(run.next_sequence, end)))
        keep(commits, run.next_sequence, {"ridge": run.state()})
    return commits, run


def test_a_commit_comes_back_bit_for_bit_and_two_are_kept(tmp_path):
    commits, run = committed(tmp_path, 10, 20, 30)
    latest = commits.latest()
    assert latest.next_sequence == 30 and digest(latest.states["ridge"]) == digest(run.state())
    assert sorted(int(path.name) for path in tmp_path.iterdir()) == [20, 30]
    other = training("ridge", Law(block=7))
    other.load(latest.states["ridge"])
    assert as_bytes(other.take(single(*range(30, N)))) == as_bytes(run.take(single(*range(30, N))))


def test_what_is_handed_over_comes_back_and_is_gone_with_the_next_commit(tmp_path):
    given = frames(1, 2)
    file = hand_over(tmp_path, vars(given).values())
    for name, array in zip(vars(given), handed_over(file), strict=True):
        assert array.dtype == getattr(given, name).dtype and np.array_equal(array, getattr(given, name))
    committed(tmp_path, 3)
    assert not file.exists()


def test_before_the_first_commit_there_is_none(tmp_path):
    assert Commits(tmp_path / "none", IDENTITY).latest() is None


def test_rows_come_with_their_commits_and_those_of_lost_ones_go(tmp_path):
    commits, run = Commits(tmp_path, IDENTITY), training("ridge", Law(block=7))
    for end in (10, 20):
        state = {"ridge": run.state()}
        keep(commits, end, state, pd.DataFrame({"end": [end]}))
    keep(commits, 30, state, pd.DataFrame())
    assert commits.rows(30)["end"].tolist() == [10, 20]
    assert commits.rows(10)["end"].tolist() == [10] and commits.rows(30)["end"].tolist() == [10]
    commits.forget()
    assert commits.latest() is None and commits.rows(30).empty


@pytest.mark.parametrize("damage", ["cut", "changed", "gone", "undescribed"])
def test_a_damaged_commit_costs_the_images_since_the_one_before(tmp_path, damage, caplog):
    commits, _ = committed(tmp_path, 10, 20)
    file = tmp_path / f"{20:020d}" / "ridge.npz"
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:100])
    elif damage == "changed":
        arrays = dict(np.load(file))
        arrays["learner.counts"] = arrays["learner.counts"] + 1
        np.savez(file, **arrays)
    elif damage == "gone":
        file.unlink()
    else:
        file.with_name("commit.json").write_text("{")
    assert commits.latest().next_sequence == 10
    assert "is damaged" in caplog.text
    commits, _ = committed(tmp_path, 20)  # it is learned again, and replaced
    assert commits.latest().next_sequence == 20


def test_where_all_commits_are_damaged_nothing_goes_on_in_silence(tmp_path):
    commits, _ = committed(tmp_path, 10)
    next(tmp_path.glob("*/ridge.npz")).unlink()
    with pytest.raises(UserError, match=r"All commits in .* are damaged"):
        commits.latest()


def test_a_kill_while_a_commit_is_written_leaves_the_one_before(tmp_path, monkeypatch):
    commits, run = committed(tmp_path, 10)

    def killed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", killed)
    with pytest.raises(KeyboardInterrupt):
        keep(commits, 20, {"ridge": run.state()})
    assert commits.latest().next_sequence == 10 and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("then", [Commits.latest, Commits.forget])
def test_what_a_killed_process_has_left_of_a_commit_is_removed(tmp_path, then):
    commits, _ = committed(tmp_path, 10)
    left = tmp_path / f"{20:020d}.4711.partial"
    left.mkdir()
    (left / "ridge.npz").touch()
    then(commits)
    assert not left.exists() and (then is Commits.forget or commits.latest().next_sequence == 10)


def test_a_commit_of_another_configuration_is_refused_by_key(tmp_path):
    committed(tmp_path, 10)
    other = Commits(tmp_path, IDENTITY | {"learners": {"ridge": {"penalty": 0.5}}, "block": 7})
    with pytest.raises(
        UserError, match=r"block \(commit: absent; now: 7\); learners.ridge.penalty \(commit: 0.01; now: 0.5\)"
    ):
        other.latest()


def test_some_of_the_models_of_a_commit_go_on_without_the_others(tmp_path):
    states = {name: {"blocks": np.array(number)} for number, name in enumerate(("ridge", "mlp"))}
    keep(Commits(tmp_path, {"models": {"ridge": 1, "mlp": 2}}), 5, states)
    commit = Commits(tmp_path, {"models": {"ridge": 1}}).latest()
    assert (commit.next_sequence, list(commit.states), commit.failures) == (5, ["ridge"], {})
    with pytest.raises(UserError, match=r"otherwise: models.lda \(commit: absent; now: 3\)\. "):
        Commits(tmp_path, {"models": {"ridge": 1, "lda": 3}}).latest()


def test_objects_are_not_loaded(tmp_path):
    commits, _ = committed(tmp_path, 10, 20)
    np.savez(tmp_path / f"{20:020d}" / "ridge.npz", counters=np.array([object()], dtype=object))
    assert commits.latest().next_sequence == 10
