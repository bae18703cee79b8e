"""A stream of 61 images in twelve frames, and trainings of small learners on it."""

import numpy as np

from cifar_pipelines.incremental.training import UNKNOWN, Frames, StreamTraining
from cifar_pipelines.learners import LearningTask, create_learner

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
