"""Models of how the time of a fit depends on cores and images, fitted to measured points.

Each model answers either with parameters, their intervals and its own error, or with the reason why the points
do not identify it; never with a number that they do not support. docs/scaling_models.md explains the models.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cifar_pipelines.scaling.fit import Point, ScalingFit, differing, measured
from cifar_pipelines.scaling.gustafson import fit_gustafson
from cifar_pipelines.scaling.nonnegative import Estimate, NonNegativeFit, fit_nonnegative
from cifar_pipelines.spark.setting import oversubscribes

Parameters = dict[str, Estimate]


@dataclass(frozen=True)
class LinearModel:
    """A model that is linear in its coefficients.

    Attributes:
        name: Its name.
        terms: Makes the design (k, p) from cores (k,) and images (k,).
        parameters: Makes the parameters from a fit; None where they do not exist.
        cores: The least number of different numbers of cores.
        pairs: The least number of different pairs of cores and images.
        need: The same in words.
    """

    name: str
    terms: Callable[[np.ndarray, np.ndarray], np.ndarray]
    parameters: Callable[[NonNegativeFit], Parameters | None]
    cores: int
    pairs: int
    need: str

    def design(self, points: Sequence[Point]) -> np.ndarray:
        """The design of points, (n, p)."""
        pairs = np.array([(point.cores, point.train_size) for point in points], dtype=float)
        return self.terms(pairs[:, 0], pairs[:, 1])

    def suffices(self, points: Sequence[Point]) -> bool:
        """Whether points have the numbers of cores and images that it needs."""
        pairs = {(point.cores, point.train_size) for point in points}
        return len({cores for cores, _ in pairs}) >= self.cores and len(pairs) >= self.pairs

    def solve(self, points: Sequence[Point]) -> NonNegativeFit | None:
        """The fit to points; None where they do not identify it."""
        if not self.suffices(points):
            return None
        return fit_nonnegative(self.design(points), np.array([point.seconds for point in points]))

    def predict(self, fit: NonNegativeFit, cores: int, train_size: int) -> Estimate:
        """Predicts one new measurement."""
        return fit.predict(self.design([Point(cores, train_size, 1.0)])[0])


def fit_scaling(points: Sequence[Point], host_cores: int | None, train_size: int) -> list[ScalingFit]:
    """Fits all models to the times of the same work.

    Args:
        points: Measured points of one model with one set of parameters; several may share cores and images.
        host_cores: Cores of the host; points with more are left out. None for a cluster of several hosts.
        train_size: The number of images for the laws that know only one (Amdahl, the Universal Scalability Law).

    Returns:
        Ernest, Amdahl, the Universal Scalability Law and Gustafson, in this order.
    """
    kept = [point for point in points if host_cores is None or not oversubscribes(point.cores, host_cores)]
    over = sorted({point.name for point in points if point not in kept})
    left_out = (f"{', '.join(over)}: more cores than the {host_cores} of the host",) if over else ()
    fits = (fit_ernest(kept), fit_amdahl(kept, train_size), fit_usl(kept, train_size), fit_gustafson(kept))
    return [replace(fit, left_out=left_out + fit.left_out) for fit in fits]


def fit_ernest(points: Sequence[Point]) -> ScalingFit:
    """Fits t = a + b n/m + c log m + d m, all of a, b, c, d at least zero.

    n is the number of images relative to the smallest, m the number of cores. Venkataraman et al., "Ernest: Efficient
    Performance Prediction for Large-Scale Advanced Analytics", NSDI 2016.
    """
    smallest = min((point.train_size for point in points), default=1)

    def terms(cores: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        return np.stack([np.ones_like(cores), sizes / smallest / cores, np.log(cores), cores], axis=1)

    def parameters(fit: NonNegativeFit) -> Parameters:
        rows = zip("abcd", fit.coefficients, np.eye(4), strict=True)
        return {name: Estimate.around(value, fit.half_width(row)) for name, value, row in rows}

    need = "three different numbers of cores and four different pairs of cores and training size"
    return _fitted(LinearModel("Ernest", terms, parameters, 3, 4, need), points)


def fit_amdahl(points: Sequence[Point], train_size: int) -> ScalingFit:
    """Fits t = t1 (s + (1 - s) / m), s between 0 and 1.

    Amdahl, "Validity of the single processor approach to achieving large scale computing capabilities", AFIPS 1967. In
    the coefficients t1 s and t1 (1 - s) it is linear; the interval of s is by the delta method.
    """

    def terms(cores: np.ndarray, _: np.ndarray) -> np.ndarray:
        return np.stack([np.ones_like(cores), 1 / cores], axis=1)

    def parameters(fit: NonNegativeFit) -> Parameters:
        serial, shared = fit.coefficients
        t1 = serial + shared
        half = fit.half_width([shared / t1**2, -serial / t1**2])
        return {"t1": Estimate.around(t1, fit.half_width([1, 1])), "s": Estimate.around(serial / t1, half, most=1.0)}

    need = "two different numbers of cores with the same training size"
    return _fitted(LinearModel("Amdahl", terms, parameters, 2, 2, need), points, train_size)


def fit_usl(points: Sequence[Point], train_size: int) -> ScalingFit:
    """Fits t = t1 (1 + sigma (m - 1) + kappa m (m - 1)) / m, sigma and kappa at least zero.

    Gunther, "Guerrilla Capacity Planning", 2007, the Universal Scalability Law: sigma is contention, kappa coherency.
    In the coefficients t1, t1 sigma and t1 kappa it is linear; intervals of the ratios are by the delta method.
    """

    def terms(cores: np.ndarray, _: np.ndarray) -> np.ndarray:
        return np.stack([1 / cores, (cores - 1) / cores, cores - 1], axis=1)

    def parameters(fit: NonNegativeFit) -> Parameters | None:
        t1, contention, coherency = fit.coefficients
        if t1 == 0:  # both ratios would be infinite
            return None
        sigma, kappa = contention / t1, coherency / t1
        return {
            "t1": Estimate.around(t1, fit.half_width([1, 0, 0])),
            "sigma": Estimate.around(sigma, fit.half_width([-sigma / t1, 1 / t1, 0])),
            "kappa": Estimate.around(kappa, fit.half_width([-kappa / t1, 0, 1 / t1])),
        }

    need = "three different numbers of cores with the same training size"
    return _fitted(LinearModel("Universal Scalability Law", terms, parameters, 3, 3, need), points, train_size)


def _fitted(model: LinearModel, points: Sequence[Point], train_size: int | None = None) -> ScalingFit:
    """Fits a linear model, or says why not; with a number of images, to the points with that number only."""
    kept = [point for point in points if train_size in (None, point.train_size)]
    result = ScalingFit(model.name, tuple(kept), differing("training sizes", points, kept))
    found = model.solve(kept)
    if found is None:
        why = "Its terms cannot be told apart:" if model.suffices(kept) else f"It needs {model.need};"
        return replace(result, reason=f"{why} {measured(kept)}")
    values = model.parameters(found)
    if values is None:
        return replace(result, reason="It would put the time on one core at zero, so its ratios do not exist.")

    def predict(cores: int, images: int) -> Estimate | None:
        return model.predict(found, cores, images) if train_size in (None, images) else None

    return replace(result, parameters=values, errors=tuple(_leave_one_out(model, kept)), predictor=predict)


def _leave_one_out(model: LinearModel, points: Sequence[Point]) -> list[float]:
    """Relative errors of every point that the others can predict."""
    errors = []
    for place, point in enumerate(points):
        fit = model.solve([*points[:place], *points[place + 1 :]])
        if fit is not None:
            predicted = model.predict(fit, point.cores, point.train_size).value
            errors.append(abs(predicted / point.seconds - 1))
    return errors
