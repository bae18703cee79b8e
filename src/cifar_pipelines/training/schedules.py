"""How the learning rate moves over a training, by name; a function of the global step alone, so that resuming changes nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi

from cifar_pipelines.common.errors import UserError, unknown_name
from cifar_pipelines.common.options import number

START = 0.2  # learning rate of the first step of a warm-up over the peak

# How much of the way from the peak to the last learning rate is done, by the share of the steps after the warm-up.
_FALLS: dict[str, Callable[[float], float]] = {
    "constant": lambda share: 0.0,
    "cosine": lambda share: (1 - cos(pi * share)) / 2,
    "triangular": lambda share: share,
}
SCHEDULES = tuple(_FALLS)


@dataclass(frozen=True)
class Schedule:
    """The learning rate of every step over its peak: a linear rise, then what the name says.

    Attributes:
        name: "constant"; "cosine" (Loshchilov and Hutter, 2017); or "triangular", a linear fall.
        warm_up: Share of the steps in which the learning rate rises linearly from a fifth of its peak.
        final: Learning rate of the last step over the peak; "constant" stays at the peak and has none.
    """

    name: str = "cosine"
    warm_up: float = 0.0
    final: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in _FALLS:
            raise unknown_name("schedule", self.name, _FALLS)
        number("The schedule's warm_up", self.warm_up, 0, 1, below=True)
        number("The schedule's final", self.final, 0, 1)
        if self.name == "constant" and self.final:
            raise UserError(
                f"The schedule's final is {self.final!r}, but a constant learning rate never falls. Leave it out, or "
                "name another schedule."
            )

    def __call__(self, step: int, steps: int) -> float:
        """The factor of a step, counted from 0, of `steps` in all."""
        peak = self.warm_up * steps
        if step < peak:
            return START + (1 - START) * step / peak
        share = (step - peak) / max(steps - 1 - peak, 1)
        return 1 + (self.final - 1) * _FALLS[self.name](share)
