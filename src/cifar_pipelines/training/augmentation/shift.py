"""Images moved a little, and reflected at the border that comes into sight."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cifar_pipelines.common.options import number
from cifar_pipelines.training.augmentation import Augmentation, one_by_one, register

if TYPE_CHECKING:
    from torch import Tensor

    from cifar_pipelines.training.draws import Draws


@register
@dataclass(frozen=True)
class Shift(Augmentation):
    """Moves every image.

    Attributes:
        share: By at most this share of height and width.
    """

    share: float = 0.125

    def __post_init__(self) -> None:
        number("The shift's share", self.share, 0, 0.5)

    def __call__(self, images: "Tensor", draws: "Draws") -> "Tensor":
        """See `Augmentation`."""
        from torchvision.transforms.v2 import functional

        height, width = images.shape[-2:]
        down, right = round(self.share * height), round(self.share * width)
        padded = functional.pad(images, [right, down], padding_mode="reflect")
        tops, lefts = draws.whole("top", 2 * down + 1).tolist(), draws.whole("left", 2 * right + 1).tolist()
        return one_by_one(images, lambda one, _: functional.crop(padded[one], tops[one], lefts[one], height, width))
