"""Gaussian naive Bayes, exact in one pass."""

import numpy as np

from cifar_pipelines.learners import Learner, LearningTask, register
from cifar_pipelines.learners._parts import between, merge_moments, softmax


@register
class GaussianNaiveBayes(Learner):
    """Independent Gaussian numbers in every class; mean and variance of a class are running moments.

    Probabilities are too sure of themselves, because the numbers of an image are not independent. A class without images has
    probability 0.

    Args:
        task: What has to be learned.
        smoothing: Added to every variance, relative to the largest variance of a number within a class.
    """

    exact = True
    at_once = "gaussian_naive_bayes"
    arrays = ("counts", "means", "squares")

    def __init__(self, task: LearningTask, *, smoothing: float = 1e-9) -> None:
        between("The option 'smoothing' of the learner 'gaussian_naive_bayes'", smoothing, 0, np.inf)
        super().__init__(task)
        self.smoothing = smoothing
        self.counts = np.zeros(len(task.classes))
        self.means, self.squares = (np.zeros((len(task.classes), task.dimension)) for _ in range(2))

    def _learn(self, x: np.ndarray, y: np.ndarray) -> None:
        for k in np.unique(y):
            merge_moments(self.counts[k : k + 1], self.means[k], self.squares[k], x[y == k])

    def _predict(self, x: np.ndarray) -> np.ndarray:
        known = np.flatnonzero(self.counts)
        variance = self.squares[known] / self.counts[known, np.newaxis]
        variance += self.smoothing * variance.max() + 1e-300
        precision, means = 1 / variance, self.means[known]
        squared = np.square(x) @ precision.T - 2 * x @ (means * precision).T + np.sum(means**2 * precision, axis=1)
        scores = np.full((len(x), len(self.counts)), -np.inf)
        scores[:, known] = np.log(self.counts[known]) - 0.5 * (squared + np.log(variance).sum(axis=1))
        return softmax(scores)
