"""A random part of every image, resized to the whole (Szegedy et al., 2015)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cifar_pipelines.common.options import number
from cifar_pipelines.training.augmentation import Augmentation, register, seeded

if TYPE_CHECKING:
    from torch import Tensor

    from cifar_pipelines.training.draws import Draws


@register
@dataclass(frozen=True)
class Crop(Augmentation):
    """Crops a rectangle and resizes it to the size of the image.

    Attributes:
        smallest: Least share of the area that is kept.
        ratio: The rectangle is at most this much wider, or higher, than the image.
    """

    smallest: float = 0.35
    ratio: float = 1.33

    def __post_init__(self) -> None:
        number("The crop's smallest", self.smallest, 0, 1, above=True)
        number("The crop's ratio", self.ratio, 1)

    def __call__(self, images: "Tensor", draws: "Draws") -> "Tensor":
        """See `Augmentation`."""
        from torchvision.transforms.v2 import RandomResizedCrop

        scale, ratio = (self.smallest, 1.0), (1 / self.ratio, self.ratio)
        return seeded(images, RandomResizedCrop(list(images.shape[-2:]), scale, ratio, antialias=True), draws)
