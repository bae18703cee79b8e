"""What several learners are made of: moments of a stream, standardised inputs, probabilities and checks of options."""

import numpy as np

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.learners import Learner, LearningTask

OUTLIER = 10.0  # standard deviations: what lies farther out is moved there


def merge_moments(count: np.ndarray, mean: np.ndarray, squares: np.ndarray, rows: np.ndarray) -> None:
    """Adds rows to running moments, in place.

    Source: T. F. Chan, G. H. Golub and R. J. LeVeque, "Updating formulae and a pairwise algorithm for computing sample
    variances", COMPSTAT 1982. Unlike a sum of squares it loses no digits where the mean is far from zero.

    Args:
        count: () or (1,) float64: rows so far.
        mean: (d,) float64: their mean.
        squares: (d,) float64: sum of their squared deviations from it.
        rows: (n, d) float64, n > 0.
    """
    new = rows.mean(axis=0)
    total = count + len(rows)
    shift = new - mean
    squares += np.square(rows - new).sum(axis=0) + shift**2 * (count * len(rows) / total)
    mean += shift * (len(rows) / total)
    count[...] = total


def softmax(scores: np.ndarray) -> np.ndarray:
    """Probabilities (n, classes) of scores (n, classes)."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def one_hot(y: np.ndarray, classes: int) -> np.ndarray:
    """Labels (n,) as float64 rows (n, classes) of zeros and a one."""
    return np.eye(classes)[y]


def between(what: str, value: float, low: float, high: float) -> None:
    """Raises a `UserError` for an option that is not from `low` to `high`."""
    if not low <= value <= high:
        rule = f"at least {low:g}" if high == np.inf else f"from {low:g} to {high:g}"
        raise UserError(f"{what} is {value!r}, but must be {rule}.")


class StandardisedLearner(Learner):
    """A learner whose inputs have mean 0 and variance 1 over all images learned so far; a constant input is 0."""

    arrays = ("seen", "mean", "squares")

    def __init__(self, task: LearningTask) -> None:
        super().__init__(task)
        self.seen = np.zeros(())
        self.mean, self.squares = np.zeros(task.dimension), np.zeros(task.dimension)

    def _absorb(self, x: np.ndarray) -> None:
        """Lets images (n, dimension) count for mean and variance."""
        merge_moments(self.seen, self.mean, self.squares, x)

    def _standardised(self, x: np.ndarray) -> np.ndarray:
        """Images (n, dimension) in standard deviations from the mean, none beyond 10."""
        deviation = np.sqrt(self.squares / self.seen)
        z = (x - self.mean) / np.where(deviation > 0, deviation, np.inf)
        return np.clip(z, -OUTLIER, OUTLIER, out=z)
