"""Measured points, and what a model of their scaling says: parameters with intervals, errors, predictions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import isfinite
from statistics import median

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.words import counted
from cifar_pipelines.scaling.nonnegative import Estimate


@dataclass(frozen=True)
class Point:
    """A measured time: the median of its repeats, with all cores of the executors, on so many training images or texts, as `noun` says."""

    cores: int
    train_size: int
    seconds: float
    repeats: int = 1
    setting: str = ""
    noun: str = "image"

    def __post_init__(self) -> None:
        numbers = (self.cores, self.train_size, self.seconds, self.repeats)
        if not all(isfinite(number) and number > 0 for number in numbers):
            raise UserError(
                f"A measured point holds {numbers} as cores, images, seconds and repeats, but all must be positive "
                "numbers. Measure that setting again."
            )

    @property
    def name(self) -> str:
        """The name of its setting, or its cores."""
        return self.setting or counted(self.cores, "core")


@dataclass(frozen=True)
class ScalingFit:
    """One model, fitted to points, or the reason why it cannot be.

    Attributes:
        model: Its name.
        points: The points it was fitted to, or would have been.
        left_out: What was left out, and why, one sentence each.
        reason: Why the points do not identify the model; None where they do.
        parameters: Parameters with 95 % intervals, by name; empty where it is not identifiable.
        errors: Relative errors of the points that can be predicted from the other points.
        predictor: What `predict` asks; None where it is not identifiable.
    """

    model: str
    points: tuple[Point, ...] = ()
    left_out: tuple[str, ...] = ()
    reason: str | None = None
    parameters: dict[str, Estimate] = field(default_factory=dict)
    errors: tuple[float, ...] = ()
    predictor: Callable[[int, int], Estimate | None] | None = None

    @property
    def median_error(self) -> float | None:
        """Median relative leave-one-out error; None where no point can be predicted from the others."""
        return median(self.errors) if self.errors else None

    @property
    def worst_error(self) -> float | None:
        """Largest relative leave-one-out error."""
        return max(self.errors, default=None)

    def predict(self, cores: int, train_size: int) -> Estimate | None:
        """Predicts the seconds of one new measurement with so many cores on so many training images.

        Returns:
            The seconds with the 95 % interval of one new measurement (no interval where there are as many parameters
            as points); None where the model is not identifiable or says nothing about this number of images.
        """
        return None if self.predictor is None else self.predictor(cores, train_size)


def differing(what: str, points: Sequence[Point], kept: Sequence[Point]) -> tuple[str, ...]:
    """Names the points that were left out because something about them differs."""
    others = sorted(
        {f"{point.name} ({counted(point.train_size, point.noun)})" for point in points if point not in kept}
    )
    return (f"{', '.join(others)}: other {what}",) if others else ()


def measured(points: Sequence[Point]) -> str:
    """Says which cores and images were measured, as the end of a sentence."""
    if not points:
        return "none was measured."
    cores = sorted({point.cores for point in points})
    sizes = sorted({point.train_size for point in points})
    return f"measured were {_listed(cores)} core{'' if cores == [1] else 's'} and {_listed(sizes)} {points[0].noun}s."


def _listed(numbers: Sequence[int]) -> str:
    texts = [f"{number:,}" for number in numbers]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
