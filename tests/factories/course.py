"""A course of two small learners on a stream of 120 images, and commits of a process that is killed in one of them."""

import numpy as np
import pandas as pd

from cifar_pipelines.incremental.commit import Commits
from cifar_pipelines.incremental.states import digest
from cifar_pipelines.incremental.training import Frames, Law
from cifar_pipelines.learners import LearningTask
from cifar_pipelines.pipelines.streaming.learning import LOG, Course, DriverEngine, MicroBatches
from cifar_pipelines.pipelines.streaming.specification import LearnerSpec

SIZES = (20, 7, 33, 24, 36)
N = sum(SIZES)
RNG = np.random.default_rng(1)
LABELS = RNG.integers(0, 3, N)
IMAGES = (3 * np.eye(3, 5)[LABELS] + RNG.normal(0, 1, (N, 5))).astype(np.float32)
SEQUENCE = np.repeat(np.arange(1, 6), SIZES)
POSITION = np.concatenate([np.arange(size) for size in SIZES])
LEARNERS = {
    "stream_ridge": LearnerSpec("ridge", {}, "Exact."),
    "stream_mlp": LearnerSpec("mlp", {"hidden": 6, "replay": 30, "batch_size": 8}, "Remembers."),
}
COURSE = Course(
    LEARNERS, LearningTask(("cat", "dog", "fox"), 5, 2), Law(block=16, holdout_every=2), (IMAGES[:9], LABELS[:9]), 1
)
ANEW = "--params streaming.resume=false"  # what is advised where a run cannot go on


def frames(first, last):
    rows = (first <= SEQUENCE) & (last >= SEQUENCE)
    return Frames(SEQUENCE[rows], POSITION[rows], np.zeros(rows.sum(), int), IMAGES[rows], LABELS[rows])


def times_of(given):
    sequence, images = np.unique(given.sequence, return_counts=True)
    return pd.DataFrame({"sequence": sequence, "images": images, "scheduled_at": 1.0, "sent_at": 1.0, "landed_at": 1.0})


class KilledError(Exception):
    pass


class DyingCommits(Commits):
    """Commits of a process that is killed in one of them, before or after it is there."""

    def __init__(self, folder, killed_in=None, after=False):
        super().__init__(folder, {"course": 1})
        self.left, self.after = killed_in, after

    def keep(self, *given):
        dies = self.left == 0
        if not dies or self.after:
            super().keep(*given)
        if dies:
            raise KilledError
        if self.left is not None:
            self.left -= 1


def take(commits, groups):
    """Takes micro-batches, from first to last frame each, by a process that goes on from the commits."""
    commit, reached = commits.latest(), []
    batches = MicroBatches(
        DriverEngine(COURSE, commits, commit),
        commits,
        lambda given: (given, times_of(given)),
        lambda sequence: reached.append(sequence) or 0,
        commit.next_sequence if commit else 1,
        list(LEARNERS),
        commit.failures if commit else {},
    )
    commits.rows(batches.next_sequence)
    for number, group in enumerate(groups):
        try:
            batches(frames(*group), number)
        except KilledError:
            assert isinstance(batches.failure, KilledError) and not batches.is_busy
            raise
    assert reached[-1] == 5 == batches.next_sequence - 1
    log = batches.log()
    assert list(log) == LOG
    assert log["sequence"].tolist() == list(range(commit.next_sequence if commit else 1, 6))
    assert (log["committed_at"] > log["scheduled_at"]).all() and not log["live"].any()
    states, rows = batches.finish()
    rows = pd.concat([commits.rows(6), rows], ignore_index=True)
    return {name: digest(state) for name, state in states.items()}, rows
