"""A rectangle of some images erased (Zhong et al., 2020)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cifar_pipelines.common.options import number
from cifar_pipelines.training.augmentation import Augmentation, mean_colours, one_by_one, register

if TYPE_CHECKING:
    from torch import Tensor

    from cifar_pipelines.training.draws import Draws


@register
@dataclass(frozen=True)
class Erasing(Augmentation):
    """Fills a rectangle of some images with their mean colour.

    Attributes:
        probability: Share of the images that lose a rectangle.
        largest: Greatest share of the area that is erased; the least is a sixteenth of it.
    """

    probability: float = 0.25
    largest: float = 0.33

    def __post_init__(self) -> None:
        number("The erasing's probability", self.probability, 0, 1)
        number("The erasing's largest", self.largest, 0, 1, above=True)

    def __call__(self, images: "Tensor", draws: "Draws") -> "Tensor":
        """See `Augmentation`."""
        import torch
        from torchvision.transforms.v2 import functional

        height, width = images.shape[-2:]
        area = draws.uniform("area", self.largest / 16, self.largest)
        stretch = draws.uniform("stretch", -0.6, 0.6).exp()  # of height over width, before the square root
        heights = (height * area.sqrt() * stretch).round().clamp(1, height).long()
        widths = (width * area.sqrt() / stretch).round().clamp(1, width).long()
        tops, lefts = draws.whole("top", height - heights + 1), draws.whole("left", width - widths + 1)
        boxes = torch.stack([tops, lefts, heights, widths], 1).tolist()
        erased, fills = draws.true("erase", self.probability).tolist(), torch.tensor(mean_colours(images))

        def change(one: int, image: "Tensor") -> "Tensor":
            return functional.erase(image, *boxes[one], fills[one].view(3, 1, 1)) if erased[one] else image

        return one_by_one(images, change)
