"""Logistic regression, learned image by image."""

import numpy as np

from cifar_pipelines.learners import LearningTask, register
from cifar_pipelines.learners._averaged_sgd import AveragedSgd


@register
class SgdLogistic(AveragedSgd):
    """The log loss of a softmax over all classes.

    Args:
        task: What has to be learned.
        learning_rate: Length of a step, from 0 to 2.
        penalty: Strength of the L2 penalty.
    """

    at_once = "logistic_regression"

    def __init__(self, task: LearningTask, *, learning_rate: float = 1.0, penalty: float = 0.0) -> None:
        super().__init__(task, learning_rate, penalty)

    def _gradient(self, scores: np.ndarray, label: int) -> np.ndarray:
        gradient = np.exp(scores - scores.max())
        gradient /= gradient.sum()
        gradient[label] -= 1
        return gradient
