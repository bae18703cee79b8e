"""Ridge regression onto the classes, exact in one pass, with random features if wanted."""

import numpy as np

from cifar_pipelines.common.options import whole
from cifar_pipelines.learners import LearningTask, register
from cifar_pipelines.learners._class_moments import ScatterLearner, solve_regularised
from cifar_pipelines.learners._parts import between

FLOOR = 0.01  # a least-squares estimate of a probability may be negative


@register
class Ridge(ScatterLearner):
    """Least squares onto one-hot labels with an L2 penalty, from accumulated sums.

    The fit of all images at once is the same function of the same sums, so one pass in any order forgets nothing. Scores
    estimate the probabilities of the classes (they sum to 1); they are cut at 0.01 and scaled to sum to 1 again. Random
    features are those of M. D. McDonnell et al., "RanPAC: random projections and pre-trained models for continual learning",
    NeurIPS 2023, arXiv:2307.02251: a fixed random matrix, drawn from the seed, and a ReLU.

    Args:
        task: What has to be learned.
        penalty: Strength of the penalty, relative to the mean variance of the numbers.
        random_features: Number of random features; 0 learns from the numbers themselves. Memory grows with its square.
    """

    def __init__(self, task: LearningTask, *, penalty: float = 0.1, random_features: int = 0) -> None:
        between("The option 'penalty' of the learner 'ridge'", penalty, 1e-9, np.inf)
        whole("The option 'random_features' of the learner 'ridge'", random_features, 0)
        super().__init__(task, random_features or task.dimension)
        self.penalty = penalty
        self._projection = None
        if random_features:
            drawn = np.random.default_rng(task.seed).standard_normal((task.dimension, random_features))
            self._projection = drawn / np.sqrt(task.dimension)

    def _lift(self, x: np.ndarray) -> np.ndarray:
        return x if self._projection is None else np.maximum(x @ self._projection, 0)

    def _solve(self) -> tuple[np.ndarray, np.ndarray]:
        n = self.counts.sum()
        mean, share = self.sums.sum(axis=0) / n, self.counts / n
        right = self.sums.T - np.outer(mean, self.counts)
        weights = solve_regularised(self.second_moments, np.sqrt(n) * mean[np.newaxis], right, self.penalty)
        return weights, share - mean @ weights

    def _predict(self, x: np.ndarray) -> np.ndarray:
        estimate = np.clip(self._scores(x), FLOOR, 1)
        return estimate / estimate.sum(axis=1, keepdims=True)
