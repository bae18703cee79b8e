"""Operations of one strength, several per image: RandAugment (Cubuk et al., 2020)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cifar_pipelines.common.options import number, whole
from cifar_pipelines.training.augmentation import Augmentation, register, seeded

if TYPE_CHECKING:
    from torch import Tensor

    from cifar_pipelines.training.draws import Draws


@register
@dataclass(frozen=True)
class RandAugment(Augmentation):
    """Applies operations drawn from torchvision's space.

    Attributes:
        operations: Operations per image.
        magnitude: Their strength, 0 to 30.
    """

    operations: int = 2
    magnitude: int = 9

    def __post_init__(self) -> None:
        whole("The rand_augment's operations", self.operations, 1)
        number("The rand_augment's magnitude", self.magnitude, 0, 30)

    def __call__(self, images: "Tensor", draws: "Draws") -> "Tensor":
        """See `Augmentation`."""
        from torchvision.transforms import v2

        return seeded(images, v2.RandAugment(self.operations, self.magnitude), draws)
