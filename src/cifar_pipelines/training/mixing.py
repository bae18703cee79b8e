"""Images blended with others, and their labels with them: mixup (Zhang et al., 2018) and CutMix (Yun et al., 2019)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cifar_pipelines.common.options import number
from cifar_pipelines.training.augmentation import one_by_one

if TYPE_CHECKING:
    from torch import Tensor

    from cifar_pipelines.training.draws import Draws


@dataclass(frozen=True)
class Mixing:
    """How images are mixed; where both are wanted, every image draws one of the two.

    Attributes:
        mixup: The alpha of mixup's Beta(alpha, alpha), from which the share of the image itself is drawn; 0 for none.
        cutmix: The alpha of CutMix, likewise.
    """

    mixup: float = 0.0
    cutmix: float = 0.0

    def __post_init__(self) -> None:
        number("The mixup", self.mixup, 0)
        number("The cutmix", self.cutmix, 0)

    def __bool__(self) -> bool:
        """Whether anything is mixed."""
        return bool(self.mixup or self.cutmix)

    def __call__(
        self, images: "Tensor", partners: "Tensor", targets: "tuple[Tensor, Tensor]", classes: int, draws: "Draws"
    ) -> "tuple[Tensor, Tensor]":
        """Mixes every image with its partner.

        Args:
            images: uint8 tensor of shape (n, 3, height, width).
            partners: Likewise.
            targets: Labels of images and of partners, int64 of shape (n,).
            classes: Number of classes.
            draws: Random numbers of the images.

        Returns:
            Images, uint8 of the same shape, and shares of the classes, float32 of shape (n, classes).
        """
        import torch
        from torch.nn.functional import one_hot

        cut = draws.true("cut", 0.5 if self.mixup and self.cutmix else float(bool(self.cutmix)))
        blended = _beta(draws, "mixup", self.mixup)
        boxes = _boxes(1 - _beta(draws, "cutmix", self.cutmix), *images.shape[-2:], draws)
        weights = blended.tolist()

        def mix(one: int, image: "Tensor") -> "Tensor":
            if cut[one]:
                return torch.where(boxes[one], partners[one], image)
            return (image * weights[one]).add_(partners[one] * (1 - weights[one])).round_()

        own = torch.where(cut, 1 - boxes.sum((1, 2)) / boxes[0].numel(), blended)
        share = own.float()[:, None]
        first, second = (one_hot(labels, classes).float() for labels in targets)
        return one_by_one(images, mix), first * share + second * (1 - share)


def _beta(draws: "Draws", name: str, alpha: float) -> "Tensor":
    """Numbers of Beta(alpha, alpha), float64 of shape (n,), by its quantiles; ones for an alpha of 0."""
    import torch
    from scipy.special import betaincinv

    uniform = draws.uniform(name)
    return torch.from_numpy(betaincinv(alpha, alpha, uniform.numpy())) if alpha else torch.ones_like(uniform)


def _boxes(area: "Tensor", height: int, width: int, draws: "Draws") -> "Tensor":
    """Boxes of the image's shape, of these shares of its area but for what lies outside of it: bool (n, height, width)."""
    import torch

    sides = []
    for name, length in (("row", height), ("column", width)):
        middle, half = draws.uniform(name, 0, length), length * area.sqrt() / 2
        position = torch.arange(length) + 0.5
        sides.append((position - middle[:, None]).abs() < half[:, None])
    return sides[0][:, :, None] & sides[1][:, None, :]
