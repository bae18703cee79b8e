"""What the prediction of an image is averaged over: the image, its mirror image, and both of them a little shifted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class PredictionViews:
    """How often, and how, a network looks at an image before it says what it is.

    Source of the shifted views: K. Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024, arXiv:2404.00498.

    Attributes:
        flip: Whether every view is also mirrored.
        shift: Pixels by which an image is shifted to the upper left, and once more to the lower right; 0 for neither.
    """

    flip: bool = False
    shift: int = 0

    @classmethod
    def of(cls, training: Mapping[str, Any]) -> "PredictionViews":
        """Those of a training as it was saved: a CNN's by its recipe. One that names no shift is of a version that had none."""
        said = training.get("recipe", training)
        return cls(said["flip_at_test"], said.get("shift_at_test", 0))

    @property
    def count(self) -> int:
        """How many views of an image there are."""
        return (1 + self.flip) * (3 if self.shift else 1)

    def __call__(self, images: "Tensor") -> "Iterator[Tensor]":
        """Yields each view of images (n, 3, size, size), same shape and dtype; what a shift uncovers is reflected."""
        for one in self._shifted(images):
            yield one
            if self.flip:
                yield one.flip(-1)

    def _shifted(self, images: "Tensor") -> "Iterator[Tensor]":
        yield images
        if self.shift:
            from torch.nn.functional import pad

            size = images.shape[-1]
            padded = pad(images, (self.shift,) * 4, mode="reflect")
            for start in (0, 2 * self.shift):
                yield padded[..., start : start + size, start : start + size]
