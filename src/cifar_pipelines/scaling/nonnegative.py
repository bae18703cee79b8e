"""Least squares with coefficients that cannot be negative, and how sure one can be of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
# Columns of length one whose smallest singular value is below this share of the largest are one too many.
RANK_TOLERANCE = 1e-10


@dataclass(frozen=True)
class Estimate:
    """A number with its interval, whose ends are None where there are too few points for one."""

    value: float
    low: float | None = None
    high: float | None = None

    @classmethod
    def around(cls, value: float, half: float | None, least: float = 0.0, most: float = np.inf) -> "Estimate":
        """An estimate with a symmetric interval, cut off at the values that are possible."""
        if half is None:
            return cls(float(value))
        return cls(float(value), float(max(value - half, least)), float(min(value + half, most)))


@dataclass(frozen=True)
class NonNegativeFit:
    """What was found: coefficients (p,), residuals (n,), and the inverse (p, p) of the design's normal matrix.

    A residual is measured minus fitted.
    """

    coefficients: np.ndarray
    residuals: np.ndarray
    inverse: np.ndarray

    @property
    def freedom(self) -> int:
        """Points beyond the number of coefficients; 0 leaves nothing to learn an interval from."""
        return len(self.residuals) - len(self.coefficients)

    def half_width(self, gradient: Sequence[float], of_a_measurement: bool = False) -> float | None:
        """Half the width of the 95 % interval of something that is made from the coefficients.

        The classical interval of linear least squares: Student's t with n - p degrees of freedom times the
        standard error by the covariance s2 (X'X)^-1. A coefficient at its bound counts as estimated, so the
        interval is rather too wide than too narrow. For a function of the coefficients this is the delta method.

        Args:
            gradient: Derivatives by the coefficients, (p,); for a fitted value the row of the design.
            of_a_measurement: Whether the scatter of one new measurement belongs to it.

        Returns:
            The half width; None where there are as many coefficients as points.
        """
        from scipy.stats import t as student

        if self.freedom == 0:
            return None
        gradient = np.asarray(gradient, dtype=float)
        share = float(gradient @ self.inverse @ gradient) + of_a_measurement
        variance = float(self.residuals @ self.residuals) / self.freedom
        return float(student.ppf((1 + CONFIDENCE) / 2, self.freedom) * np.sqrt(max(share, 0.0) * variance))

    def predict(self, row: np.ndarray) -> Estimate:
        """Predicts one new measurement by its row of the design, (p,), with its interval."""
        return Estimate.around(row @ self.coefficients, self.half_width(row, of_a_measurement=True))


def rank(design: np.ndarray) -> int:
    """Rank of a design, (n, p) with one row per point, whose columns have very different sizes."""
    lengths = np.linalg.norm(design, axis=0)
    values = np.linalg.svd(design / np.where(lengths > 0, lengths, 1.0), compute_uv=False)
    return int((values > RANK_TOLERANCE * values[0]).sum())


def fit_nonnegative(design: np.ndarray, seconds: np.ndarray) -> NonNegativeFit | None:
    """Fits seconds by the columns of a design, with coefficients of at least zero.

    Lawson and Hanson, "Solving Least Squares Problems", 1974, as scipy.optimize.nnls has it. Columns are brought
    to length one first, which changes the numbers but not the solution.

    Args:
        design: One row per point, (n, p).
        seconds: Measured times, (n,).

    Returns:
        The fit; None where the points cannot tell the columns apart, so that the solution is not unique.
    """
    from scipy.optimize import nnls

    if rank(design) < design.shape[1]:
        return None
    lengths = np.linalg.norm(design, axis=0)
    scaled = design / lengths
    coefficients = _polished(scaled, seconds, nnls(scaled, seconds)[0])
    inverse = np.linalg.inv(scaled.T @ scaled) / np.outer(lengths, lengths)
    return NonNegativeFit(coefficients / lengths, seconds - scaled @ coefficients, inverse)


def _polished(design: np.ndarray, seconds: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Solves for the coefficients above zero once more, by an orthogonal method that loses fewer digits."""
    free = coefficients > 0
    refined = np.zeros_like(coefficients)
    if not free.any():
        return coefficients
    refined[free] = np.linalg.lstsq(design[:, free], seconds, rcond=None)[0]
    return refined if (refined >= 0).all() else coefficients
