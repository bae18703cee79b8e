from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.factories.incremental import CLASSES, COUNT, IMAGES, LABELS, N, as_bytes, frames, single, training

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.incremental.states import digest
from cifar_pipelines.incremental.training import UNKNOWN, Frames, Law, StreamTraining
from cifar_pipelines.learners import LearningTask, create_learner, names

EVERYTHING = range(COUNT)


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
