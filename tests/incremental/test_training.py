from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.incremental.commit import Commits
from cifar_pipelines.incremental.states import digest, draft, hand_over, handed_over
from cifar_pipelines.incremental.training import UNKNOWN, Frames, Law, StreamTraining
from cifar_pipelines.learners import LearningTask, create_learner, names

CLASSES = ("cat", "dog", "fox")
N = 61  # nine blocks of seven are not full
RNG = np.random.default_rng(1)
LABELS = RNG.integers(0, 3, N)
IMAGES = (3 * np.eye(3, 5)[LABELS] + RNG.normal(0, 1, (N, 5))).astype(np.float32)
LABELS[[5, 20, 21, 22, 23, 24, 25, 26, 27, 28, 60]] = UNKNOWN  # a whole block among them
SMALL = {
    "minibatch_kmeans": {"clusters": 9},
    "mlp": {"hidden": 6, "batch_size": 4, "replay": 20},
    "ridge": {"random_features": 12},
}


def training(name, law):
    learner = create_learner(name, LearningTask(CLASSES, 5, seed=2), SMALL.get(name))
    return StreamTraining(learner, law, (IMAGES[:4], np.array([0, 1, 2, 0])))


STARTS = [0, 3, 4, 11, 12, 20, 31, 33, 40, 47, 54, 60, N]  # frames of many sizes
COUNT = len(STARTS) - 1
SHUFFLE = np.random.default_rng(4)


def frames(*sequence):
    """Frames by number, their images in any order."""
    rows = [
        (number, position, STARTS[number] + position)
        for number in sequence
        for position in range(STARTS[number + 1] - STARTS[number])
    ]
    number, position, image = SHUFFLE.permutation(np.array(rows, dtype=np.int64).reshape(-1, 3)).T
    return Frames(number, position, np.zeros_like(number), IMAGES[image], LABELS[image])


EVERYTHING = range(COUNT)


def single(*sequence):
    """Frames of one image each."""
    chosen = np.array(sequence, dtype=np.int64)
    zeros = np.zeros_like(chosen)
    return Frames(chosen, zeros, zeros, IMAGES[chosen], LABELS[chosen])


def as_bytes(results):
    return [
        (result.first, result.label.tobytes(), result.probability.tobytes(), repr(sorted(result.scores.items())))
        for result in results
    ]


@st.composite
def deliveries(draw):
    """Micro-batches of the whole stream: any cut, frames that come again, any order inside, a kill after some."""
    cuts = sorted(draw(st.sets(st.integers(1, COUNT - 1), max_size=6)))
    batches = []
    for start, end in zip([0, *cuts], [*cuts, COUNT], strict=True):
        again = draw(st.integers(0, start))
        batch = draw(st.permutations(range(start - again, end)))
        batches.append((batch, draw(st.sampled_from(["goes on", "is killed before the commit", "is killed after it"]))))
    return batches


@pytest.mark.parametrize("name", names())
@settings(max_examples=12, deadline=None)
@given(deliveries(), st.sampled_from([0, 2]))
def test_any_cut_any_replay_and_any_kill_give_the_same_bits(name, batches, delay):
    law = Law(block=7, label_delay=delay, window=10, holdout_every=2)
    straight = training(name, law)
    expected = as_bytes(straight.take(frames(*EVERYTHING)) + straight.finish())
    running, state, results = training(name, law), None, []
    for batch, fate in batches:
        new = running.take(frames(*batch))
        if fate != "is killed before the commit":
            state, results = running.state(), results + new
        if fate != "goes on":
            running = training(name, law)
            if state is not None:
                running.load(state)
            # What was not committed comes again, cut otherwise.
            results += running.take(frames(*range(running.next_sequence, max(batch) + 1)))
            state = running.state()
    results += running.finish()
    assert as_bytes(results) == expected
    assert digest(running.state()) == digest(straight.state())
    assert running.next_sequence == COUNT


def test_what_is_predicted_was_not_learned_before():
    results = training("nearest_class_mean", Law(block=7)).take(single(*range(14)))
    assert np.allclose(results[0].probability, 1 / 3)
    learner = create_learner("nearest_class_mean", LearningTask(CLASSES, 5))
    known = LABELS[:7] != UNKNOWN
    learner.learn(IMAGES[:7][known], LABELS[:7][known])
    assert np.array_equal(results[1].probability, learner.predict(IMAGES[7:14]))


def test_a_late_label_is_learned_so_many_blocks_later():
    results = training("nearest_class_mean", Law(block=5, label_delay=2)).take(single(*range(20)))
    alike = [bool(np.allclose(result.probability, 1 / 3)) for result in results]
    assert alike == [True, True, True, False]


def test_the_learner_of_late_labels_ends_as_the_other_one():
    ends = []
    for delay in (0, 3):
        run = training("ridge", Law(block=7, label_delay=delay))
        run.take(single(*range(N)))
        run.finish()
        ends.append(run.learner.state())
    assert digest(ends[0]) == digest(ends[1])


def test_an_image_without_a_label_is_predicted_and_neither_judged_nor_learned():
    run = training("nearest_class_mean", Law(block=N))
    (result,) = run.take(single(*range(N)))
    known = int((LABELS != UNKNOWN).sum())
    assert len(result.probability) == N and result.scores["n"] == known == run.learner.counts.sum()


def test_an_image_that_comes_in_a_second_epoch_is_learned_and_not_judged():
    run, again = training("nearest_class_mean", Law(block=10)), single(*range(30, 40))
    run.take(single(*range(30)))
    (result,) = run.take(replace(again, epoch=np.ones(10, int)))
    known = LABELS[:40] != UNKNOWN
    assert result.scores["n"] == known[:30].sum() and run.learner.counts.sum() == known.sum()


def test_held_out_images_are_tested_every_so_many_blocks():
    results = training("ridge", Law(block=10, holdout_every=2)).take(single(*range(60)))
    assert ["holdout_accuracy" in result.scores for result in results] == [False, True] * 3
    assert results[1].holdout_confusion.sum() == 4
    taught = training("ridge", Law(block=10))
    taught.take(single(*range(20)))
    right = taught.learner.predict(IMAGES[:4]).argmax(axis=1) == [0, 1, 2, 0]
    assert results[1].scores["holdout_accuracy"] == right.mean()


@pytest.mark.parametrize(
    ("images", "every", "delay", "tested"),
    [
        (45, 10, 0, True),  # nine blocks, tested before the tenth for once
        (45, 4, 0, True),
        (41, 8, 0, True),  # a block that is not full
        (41, 0, 0, False),
        (45, 0, 1, False),
        (40, 8, 0, False),  # tested just before
        (40, 8, 2, True),  # before the late labels
        (0, 10, 0, False),
    ],
)
def test_after_the_end_held_out_images_are_tested_once_unless_they_just_were(images, every, delay, tested):
    run = training("ridge", Law(block=5, label_delay=delay, holdout_every=every))
    taken = run.take(single(*range(images)))
    last = run.finish()
    assert [result.holdout_confusion is not None for result in last] == ([tested] if tested or images % 5 else [])
    assert any("holdout_n" in result.scores for result in taken + last) == bool(every and images)
    if tested:
        right = run.learner.predict(IMAGES[:4]).argmax(axis=1) == [0, 1, 2, 0]
        assert last[0].scores["holdout_accuracy"] == right.mean()
        assert last[0].first + len(last[0].label) == run.state()["counters"][1]


def test_without_held_out_images_nothing_comes_after_the_last_block():
    learner = create_learner("ridge", LearningTask(CLASSES, 5, seed=2))
    run = StreamTraining(learner, Law(block=5, holdout_every=10), None)
    run.take(single(*range(20)))
    assert run.finish() == []


def test_a_gap_in_the_stream_is_refused_and_nothing_is_taken():
    run = training("ridge", Law(block=4))
    run.take(single(0, 1, 2))
    with pytest.raises(UserError, match=r"Frame 4 of the stream is missing: after 3 comes 6"):
        run.take(single(3, 6, 7))
    assert run.next_sequence == 3


def test_a_frame_that_lacks_an_image_is_refused_and_nothing_is_taken():
    run = training("ridge", Law(block=4))
    whole = frames(0, 1, 2)
    kept = ~((whole.sequence == 2) & (whole.position == 3))
    with pytest.raises(UserError, match=r"Frame 2 of the stream lacks an image: at place 3 there is none"):
        run.take(
            Frames(*(column[kept] for column in (whole.sequence, whole.position, whole.epoch, whole.x, whole.label)))
        )
    assert run.next_sequence == 0


def test_blocks_are_numbered_by_their_first_image():
    run = training("ridge", Law(block=7))
    results = run.take(frames(*EVERYTHING)) + run.finish()
    assert [result.first for result in results] == list(range(0, N, 7))


def test_a_label_that_is_in_no_class_list_is_refused_and_nothing_is_taken():
    run = training("ridge", Law(block=4))
    with pytest.raises(UserError, match="The label 7 is not in the class list"):
        run.take(Frames(np.arange(2), np.zeros(2, int), np.zeros(2, int), IMAGES[:2], np.array([0, 7])))
    assert run.next_sequence == 0 and not len(run.state()["waiting.label"])


@pytest.mark.parametrize(
    "wrong", [{"block": 0}, {"label_delay": -1}, {"window": 0}, {"holdout_every": -1}, {"block": True}]
)
def test_a_law_that_cannot_be_is_refused(wrong):
    with pytest.raises(UserError, match=f"The option '{next(iter(wrong))}' of the stream"):
        Law(**wrong)


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
