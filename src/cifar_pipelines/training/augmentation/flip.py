"""Images mirrored left to right, or upside down."""

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
        probability: Share of the images that are mirrored left to right.
        vertical: Share of those that are turned upside down, for images without an upper side, such as of fruits or from the air.
    """

    probability: float = 0.5
    vertical: float = 0.0

    def __post_init__(self) -> None:
        number("The flip's probability", self.probability, 0, 1)
        number("The flip's vertical", self.vertical, 0, 1)

    def __call__(self, images: "Tensor", draws: "Draws") -> "Tensor":
        """See `Augmentation`."""
        from cifar_pipelines.training.recipe_augmentation import mirror

        images = mirror(images, draws.true("flip", self.probability))
        return mirror(images, draws.true("flip upside down", self.vertical), dim=-2) if self.vertical else images
