"""Contrast, saturation and hue changed a little."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cifar_pipelines.common.options import number
from cifar_pipelines.training.augmentation import Augmentation, one_by_one, register

if TYPE_CHECKING:
    from torch import Tensor

    from cifar_pipelines.training.draws import Draws


@register
@dataclass(frozen=True)
class Colour(Augmentation):
    """Changes contrast, then saturation, then hue of every image.

    Attributes:
        contrast: The factor of the contrast lies at most this far from 1.
        saturation: The factor of the saturation likewise.
        hue: The hue is turned by at most this share of the colour circle, to either side; 0 is three times as fast.
    """

    contrast: float = 0.2
    saturation: float = 0.2
    hue: float = 0.0

    def __post_init__(self) -> None:
        number("The colour's contrast", self.contrast, 0, 1)
        number("The colour's saturation", self.saturation, 0, 1)
        number("The colour's hue", self.hue, 0, 0.5)

    def __call__(self, images: "Tensor", draws: "Draws") -> "Tensor":
        """See `Augmentation`."""
        from torchvision.transforms.v2 import functional

        changes = [
            (functional.adjust_contrast, draws.uniform("contrast", 1 - self.contrast, 1 + self.contrast).tolist()),
            (
                functional.adjust_saturation,
                draws.uniform("saturation", 1 - self.saturation, 1 + self.saturation).tolist(),
            ),
        ]
        if self.hue:
            changes.append((functional.adjust_hue, draws.uniform("hue", -self.hue, self.hue).tolist()))
        for adjust, amounts in changes:
            images = one_by_one(images, lambda one, image, adjust=adjust, by=amounts: adjust(image, by[one]))
        return images
