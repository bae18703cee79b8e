"""When frames are due."""

import math
from dataclasses import dataclass

from cifar_pipelines.common.errors import UserError


@dataclass(frozen=True)
class Pace:
    """How fast frames are sent; as fast as they are taken where neither is given.

    Attributes:
        rate: Images per second.
        interval: Seconds from the start of one frame to that of the next.
    """

    rate: float | None = None
    interval: float | None = None

    def __post_init__(self) -> None:
        for name in ("rate", "interval"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise UserError(
                    f"--{name} is {value:g}, but must be more than 0. Leave it out to send as fast as it goes."
                )
        if self.rate is not None and self.interval is not None:
            raise UserError(
                "--rate and --interval are both given, and each says when a frame is due. Give one of them."
            )

    @property
    def is_free(self) -> bool:
        """Whether frames are due as soon as they are taken."""
        return self.rate is None and self.interval is None

    def seconds(self, images: int) -> float:
        """How long after a frame of so many images the next one is due."""
        return images / self.rate if self.rate else self.interval or 0.0
