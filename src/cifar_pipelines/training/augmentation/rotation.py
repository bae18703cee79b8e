"""Images turned a little."""

from dataclasses import dataclass
from math import ceil, cos, radians, sin
from typing import TYPE_CHECKING

from cifar_pipelines.common.options import number
from cifar_pipelines.training.augmentation import Augmentation, one_by_one, register

if TYPE_CHECKING:
    from torch import Tensor

    from cifar_pipelines.training.draws import Draws


@register
@dataclass(frozen=True)
class Rotation(Augmentation):
    """Turns every image about its middle; what comes into sight at the corners of a square image is its reflection.

    Attributes:
        degrees: By at most this angle, to either side.
    """

    degrees: float = 15.0

    def __post_init__(self) -> None:
        number("The rotation's degrees", self.degrees, 0, 180)

    def __call__(self, images: "Tensor", draws: "Draws") -> "Tensor":
        """See `Augmentation`."""
        from torchvision.transforms.v2 import InterpolationMode, functional

        height, width = images.shape[-2:]
        down, right = self._reach(height), self._reach(width)
        padded = functional.pad(images, [right, down], padding_mode="reflect")
        angles = draws.uniform("angle", -self.degrees, self.degrees).tolist()

        def turn(one: int, _: "Tensor") -> "Tensor":
            turned = functional.rotate(padded[one], angles[one], InterpolationMode.BILINEAR)
            return functional.crop(turned, down, right, height, width)

        return one_by_one(images, turn)

    def _reach(self, side: int) -> int:
        """How many pixels beyond its border a square of this side may show."""
        angle = radians(min(self.degrees, 45.0))
        return min(ceil((sin(angle) + cos(angle) - 1) / 2 * side) + 1, side - 1)
