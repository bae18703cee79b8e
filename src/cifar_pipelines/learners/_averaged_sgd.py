"""Linear models that learn image by image, by stochastic gradient descent with averaged weights."""

from abc import abstractmethod

import numpy as np

from cifar_pipelines.learners import LearningTask
from cifar_pipelines.learners._parts import StandardisedLearner, between, softmax

ETA = 3  # of polynomial-decay averaging: late weights count more, as one (t / T) ** 3


class AveragedSgd(StandardisedLearner):
    """One weight vector per class; a step per image, and predictions by the average of the weights.

    A step is divided by the squared length of the image (normalised least mean squares: N. J. Bershad, IEEE TASSP 34, 1986),
    so that one learning rate suits any dimension. Averages are those of O. Shamir and T. Zhang, "Stochastic gradient descent
    for non-smooth optimization", ICML 2013, arXiv:1212.1824, section 4, which forget the first weights.

    Args:
        task: What has to be learned.
        learning_rate: Length of a step, from 0 to 2.
        penalty: Strength of the L2 penalty.
    """

    arrays = (*StandardisedLearner.arrays, "steps", "weights", "average")

    def __init__(self, task: LearningTask, learning_rate: float, penalty: float) -> None:
        super().__init__(task)
        between(f"The option 'learning_rate' of the learner {self.name!r}", learning_rate, 1e-9, 2)
        between(f"The option 'penalty' of the learner {self.name!r}", penalty, 0, 1)
        self.learning_rate, self.penalty = learning_rate, penalty
        self.steps = np.zeros((), np.int64)
        self.weights, self.average = (np.zeros((len(task.classes), task.dimension + 1)) for _ in range(2))

    def _learn(self, x: np.ndarray, y: np.ndarray) -> None:
        self._absorb(x)
        rows = np.hstack([self._standardised(x), np.ones((len(x), 1))])
        rates = self.learning_rate / np.square(rows).sum(axis=1)
        for row, label, rate in zip(rows, y, rates, strict=True):
            gradient = self._gradient(self.weights @ row, label)
            if self.penalty:
                self.weights[:, :-1] *= 1 - rate * self.penalty
            self.weights -= np.outer(rate * gradient, row)
            self.steps += 1
            self.average += (self.weights - self.average) * ((1 + ETA) / (self.steps + ETA))

    def _predict(self, x: np.ndarray) -> np.ndarray:
        return softmax(self._standardised(x) @ self.average[:, :-1].T + self.average[:, -1])

    @abstractmethod
    def _gradient(self, scores: np.ndarray, label: int) -> np.ndarray:
        """Gradient (classes,) of the loss of one image by its scores (classes,)."""
