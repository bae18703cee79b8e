"""Images made darker or brighter."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cifar_pipelines.common.options import number
from cifar_pipelines.training.augmentation import Augmentation, one_by_one, register

if TYPE_CHECKING:
    from torch import Tensor

    from cifar_pipelines.training.draws import Draws


@register
@dataclass(frozen=True)
class Brightness(Augmentation):
    """Multiplies the pixels of every image by a factor.

    Attributes:
        by: The factor lies at most this far from 1.
    """

    by: float = 0.2

    def __post_init__(self) -> None:
        number("The brightness's by", self.by, 0, 1)

    def __call__(self, images: "Tensor", draws: "Draws") -> "Tensor":
        """See `Augmentation`."""
        from torchvision.transforms.v2 import functional

        factors = draws.uniform("factor", 1 - self.by, 1 + self.by).tolist()
        return one_by_one(images, lambda one, image: functional.adjust_brightness(image, factors[one]))
