"""Linear support vector machine, learned image by image."""

import numpy as np

from cifar_pipelines.learners import LearningTask, register
from cifar_pipelines.learners._averaged_sgd import AveragedSgd


@register
class SgdSvm(AveragedSgd):
    """The hinge loss, one class against the rest; probabilities are a softmax of margins and not calibrated.

    Args:
        task: What has to be learned.
        learning_rate: Length of a step, from 0 to 2.
        penalty: Strength of the L2 penalty.
    """

    at_once = "linear_svm"

    def __init__(self, task: LearningTask, *, learning_rate: float = 0.3, penalty: float = 0.0) -> None:
        super().__init__(task, learning_rate, penalty)

    def _gradient(self, scores: np.ndarray, label: int) -> np.ndarray:
        gradient = (scores > -1).astype(np.float64)
        gradient[label] = -1.0 if scores[label] < 1 else 0.0
        return gradient
