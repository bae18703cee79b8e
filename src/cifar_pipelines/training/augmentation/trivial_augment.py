"""One operation of many, of any strength, per image: TrivialAugment (Müller and Hutter, 2021)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cifar_pipelines.training.augmentation import Augmentation, register, seeded

if TYPE_CHECKING:
    from torch import Tensor

    from cifar_pipelines.training.draws import Draws


@register
@dataclass(frozen=True)
class TrivialAugment(Augmentation):
    """Applies one operation, drawn with its strength from torchvision's wide space; it has no options."""

    def __call__(self, images: "Tensor", draws: "Draws") -> "Tensor":
        """See `Augmentation`."""
        from torchvision.transforms.v2 import TrivialAugmentWide

        return seeded(images, TrivialAugmentWide(), draws)
