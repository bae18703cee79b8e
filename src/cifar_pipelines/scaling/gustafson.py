"""Gustafson's law: how much faster more cores are when the data grow with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from cifar_pipelines.scaling.fit import Point, ScalingFit, differing, measured
from cifar_pipelines.scaling.nonnegative import Estimate, NonNegativeFit, fit_nonnegative

NAME = "Gustafson"
SAME_SHARE = 0.01  # images per core that differ by less count as the same


@dataclass(frozen=True)
class _Base:
    """The point with the fewest cores, against which all others are measured."""

    cores: int
    train_size: int
    seconds: float

    def scaled(self, point: Point) -> tuple[float, float]:
        """Cores gained, r - 1, and speed-up lost, r - S; S is relative work divided by relative time."""
        ratio = point.cores / self.cores
        speedup = (point.train_size / self.train_size) * self.seconds / point.seconds
        return ratio - 1, ratio - speedup

    def predict(self, fit: NonNegativeFit, cores: int, train_size: int) -> Estimate | None:
        """Seconds for as many images per core as here; None for any other number."""
        ratio = cores / self.cores
        if ratio < 1 or abs(train_size / self.train_size / ratio - 1) > SAME_SHARE:
            return None
        speedup = ratio - fit.coefficients[0] * (ratio - 1)
        if speedup <= 0:
            return None
        seconds = train_size / self.train_size * self.seconds
        half = fit.half_width([ratio - 1], of_a_measurement=True)
        if half is None or half >= speedup:  # the slowest would take for ever
            return Estimate(seconds / speedup)
        return Estimate(seconds / speedup, seconds / (speedup + half), seconds / (speedup - half))


def fit_gustafson(points: Sequence[Point]) -> ScalingFit:
    """Fits the scaled speed-up S = r - alpha (r - 1) of points whose images grew with their cores.

    Gustafson, "Reevaluating Amdahl's law", CACM 1988. r is the number of cores relative to the smallest one, alpha, at
    least zero, the share of the time that is serial. Work counts as proportional to images. Of the points, those with
    the images per core that most numbers of cores share are taken. The time of the smallest one counts as exact, also
    where the error is found by leaving out one point after the other.
    """
    group = _same_images_per_core(points)
    if len({point.cores for point in group}) < 2:
        reason = f"It needs points whose training size grew as much as their cores; {measured(points)}"
        return ScalingFit(NAME, tuple(points), reason=reason)
    cores = min(point.cores for point in group)
    smallest = [point for point in group if point.cores == cores]
    base = _Base(cores, smallest[0].train_size, median(point.seconds for point in smallest))
    grown = [point for point in group if point.cores > cores]
    found = _fit(base, grown)
    errors = []
    for place, point in enumerate(grown):
        others = grown[:place] + grown[place + 1 :]
        predicted = base.predict(_fit(base, others), point.cores, point.train_size) if others else None
        errors += [abs(predicted.value / point.seconds - 1)] if predicted else []
    return ScalingFit(
        NAME,
        tuple(group),
        differing("training sizes per core", points, group),
        parameters={"alpha": Estimate.around(found.coefficients[0], found.half_width([1.0]))},
        errors=tuple(errors),
        predictor=lambda m, n: base.predict(found, m, n),
    )


def _fit(base: _Base, points: Sequence[Point]) -> NonNegativeFit:
    """The share alpha that explains what of the speed-up is lost."""
    gained, lost = np.array([base.scaled(point) for point in points]).T
    return fit_nonnegative(gained[:, None], lost)


def _same_images_per_core(points: Sequence[Point]) -> list[Point]:
    """The points with the images per core that most numbers of cores share; of equals, with more images."""
    groups = [
        [one for one in points if abs(one.train_size / one.cores * share - 1) <= SAME_SHARE]
        for share in sorted({point.cores / point.train_size for point in points})
    ]
    return max(groups, key=lambda group: len({point.cores for point in group}), default=[])
