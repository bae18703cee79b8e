"""Linear discriminant analysis, exact in one pass."""

import numpy as np

from cifar_pipelines.learners import LearningTask, register
from cifar_pipelines.learners._class_moments import ScatterLearner, solve_regularised
from cifar_pipelines.learners._parts import between, softmax


@register
class LinearDiscriminant(ScatterLearner):
    """Gaussian classes with one covariance, which is shrunk towards a multiple of the identity.

    Source: T. L. Hayes and C. Kanan, "Lifelong machine learning with deep streaming linear discriminant analysis", CVPR
    Workshops 2020, arXiv:1909.01520; here the covariance is that of all images so far and not an approximation of it. A class
    without images has probability 0.

    Args:
        task: What has to be learned.
        shrinkage: Added to the diagonal of the covariance, relative to the mean variance within the classes.
    """

    def __init__(self, task: LearningTask, *, shrinkage: float = 0.1) -> None:
        between("The option 'shrinkage' of the learner 'linear_discriminant'", shrinkage, 1e-9, np.inf)
        super().__init__(task, task.dimension)
        self.shrinkage = shrinkage

    def _solve(self) -> tuple[np.ndarray, np.ndarray]:
        n = self.counts.sum()
        means = self.sums / np.maximum(self.counts, 1)[:, np.newaxis]
        about = means * np.sqrt(self.counts)[:, np.newaxis]
        weights = solve_regularised(self.second_moments, about, n * means.T, self.shrinkage)
        with np.errstate(divide="ignore"):
            prior = np.log(self.counts / n)
        return weights, prior - 0.5 * np.einsum("kd,dk->k", means, weights)

    def _predict(self, x: np.ndarray) -> np.ndarray:
        return softmax(self._scores(x))
