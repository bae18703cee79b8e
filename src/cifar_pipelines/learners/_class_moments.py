"""What learners of second moments share: count and mean of every class, and the scatter within or over all of them."""

from collections.abc import Mapping

import numpy as np

from cifar_pipelines.learners import Learner, LearningTask
from cifar_pipelines.learners._parts import one_hot


class ScatterLearner(Learner):
    """Keeps counts and sums of the classes and the matrix of second moments: all that ridge and discriminants need.

    They are sums over images, so that one pass in any order gives what a fit of all images at once gives. Of the matrix of second
    moments, which is symmetric, the upper triangle alone is kept.

    Args:
        task: What has to be learned.
        width: Numbers per image after `_lift`.
    """

    exact = True
    arrays = ("counts", "sums", "second_moments")

    def __init__(self, task: LearningTask, width: int) -> None:
        super().__init__(task)
        self.counts = np.zeros(len(task.classes))
        self.sums = np.zeros((len(task.classes), width))
        self.second_moments = np.zeros((width, width))
        self._linear: tuple[np.ndarray, np.ndarray] | None = None

    def _learn(self, x: np.ndarray, y: np.ndarray) -> None:
        lifted, truth = self._lift(x), one_hot(y, len(self.task.classes))
        self.counts += truth.sum(axis=0)
        self.sums += truth.T @ lifted
        _add_outer_products(self.second_moments, lifted)
        self._linear = None

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Goes on from a state, and forgets what was solved before."""
        super().load(state)
        self._linear = None

    def _lift(self, x: np.ndarray) -> np.ndarray:
        """The numbers that are learned from, (n, width)."""
        return x

    def linear(self) -> tuple[np.ndarray, np.ndarray]:
        """Weights (width, classes) and intercepts (classes,); the system is solved when it is asked for the first time after a block."""
        if self._linear is None:
            self._linear = self._solve()
        return self._linear

    def _scores(self, x: np.ndarray) -> np.ndarray:
        """Linear scores (n, classes)."""
        weights, intercepts = self.linear()
        return self._lift(x) @ weights + intercepts

    def _solve(self) -> tuple[np.ndarray, np.ndarray]:
        """Weights (width, classes) and intercepts (classes,) from what was summed up."""
        raise NotImplementedError


def _add_outer_products(second_moments: np.ndarray, x: np.ndarray) -> None:
    """Adds x.T @ x (d, d) in place, of which BLAS computes the upper triangle alone: half of the work, and no matrix beside it."""
    from scipy.linalg.blas import dsyrk

    dsyrk(1.0, x.T, beta=1.0, c=second_moments.T, lower=1, overwrite_c=1)


def solve_regularised(second_moments: np.ndarray, about: np.ndarray, right: np.ndarray, ridge: float) -> np.ndarray:
    """Solves (scatter + ridge * its mean diagonal * I) w = right, where the scatter is that of numbers about their means.

    Nothing is copied but the one matrix that is factorised in place: that takes most of the time of a learner that is asked for
    predictions after every block.

    Args:
        second_moments: (d, d) float64: sum of the outer products of images, of which the upper triangle is read.
        about: (m, d) float64: what is taken off, as rows whose outer products add up to it, such as sqrt(n) times a mean of n images.
        right: (d, k) float64, of sums likewise and not of means.
        ridge: Strength, relative to the mean of the diagonal, so that it means the same whatever the scale of the numbers.

    Returns:
        (d, k) float64.
    """
    from scipy.linalg import cho_factor, cho_solve
    from scipy.linalg.blas import dsyrk

    # As columns, which is how LAPACK sees a matrix: the upper triangle of the rows is the lower one of the columns.
    scatter = second_moments.copy().T
    scatter = dsyrk(-1.0, about, beta=1.0, c=scatter, trans=1, lower=1, overwrite_c=1)
    diagonal = np.einsum("ii->i", scatter)
    strength = ridge * diagonal.mean()
    # Of constant numbers, which carry no information, the matrix is zero up to rounding.
    diagonal += strength if strength > 0 else 1.0
    factor = cho_factor(scatter, lower=True, overwrite_a=True, check_finite=False)
    return cho_solve(factor, right, check_finite=False)
