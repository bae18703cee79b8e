"""Images mirrored left to right."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cifar_pipelines.common.options import number
from cifar_pipelines.training.augmentation import Augmentation, register

if TYPE_CHECKING:
    from torch import Tensor

    from cifar_pipelines.training.draws import Draws


@register
@dataclass(frozen=True)
class Flip(Augmentation):
    """Mirrors some images.

    Attributes:
        probability: Share of the images that are mirrored.
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        number("The flip's probability", self.probability, 0, 1)

    def __call__(self, images: "Tensor", draws: "Draws") -> "Tensor":
        """See `Augmentation`."""
        from cifar_pipelines.training.recipe_augmentation import mirror

        return mirror(images, draws.true("flip", self.probability))
