"""How images of any shape become the squares of pixels that networks take."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Union

from cifar_pipelines.common.errors import UserError, unknown_name
from cifar_pipelines.common.options import whole

if TYPE_CHECKING:
    import torch

FILTERS = ("bilinear", "bicubic")
# What becomes of an image that is no square: both sides to the same length, its middle cut out, or bars added.
POLICIES = ("squash", "crop", "pad")


@dataclass(frozen=True)
class Square:
    """A square that images are made to fill.

    Attributes:
        size: Height and width in pixels.
        filter: How pixels are interpolated, "bilinear" or "bicubic"; either averages where an image gets smaller.
        policy: "squash" resizes both sides to `size`; "crop" resizes the largest square in the middle to `resize` and
            cuts a square of `size` out of its middle; "pad" resizes the longer side to `size` and fills what is left.
        resize: Height and width in pixels before "crop" cuts, at least `size`; None for `size`.
        fill: Red, green and blue, 0 to 255, of the bars that "pad" adds.
    """

    size: int
    filter: str = "bilinear"
    policy: str = "squash"
    resize: int | None = None
    fill: tuple[int, int, int] = (0, 0, 0)

    def __post_init__(self) -> None:
        whole("The input size", self.size, 1)
        if self.filter not in FILTERS:
            raise unknown_name("filter", self.filter, FILTERS)
        if self.policy not in POLICIES:
            raise unknown_name("policy", self.policy, POLICIES)
        if self.resize is not None and self.resize < self.size:
            raise UserError(
                f"Images are resized to {self.resize} px before {self.size} px are cut out of them, which are more. "
                f"Resize them to at least {self.size} px."
            )

    @classmethod
    def of(cls, square: Union[int, "Square"]) -> "Square":
        """A square that is given as one, or by its size alone."""
        return square if isinstance(square, cls) else cls(square)

    @property
    def scaled_to(self) -> int:
        """The longest side in pixels after `scale`."""
        return self.resize or self.size if self.policy == "crop" else self.size

    def scale(self, images: "torch.Tensor") -> "torch.Tensor":
        """Resizes images of one shape, uint8 (n, 3, height, width), as far as `fill_up` wants them; twice is as once."""
        height, width = images.shape[2:]
        if self.policy == "crop":
            side = min(height, width)
            return self._resized(_middle(images, side), self.scaled_to, self.scaled_to)
        if self.policy == "pad":
            factor = self.size / max(height, width)
            return self._resized(images, *(max(1, round(factor * side)) for side in (height, width)))
        return self._resized(images, self.size, self.size)

    def fill_up(self, scaled: "torch.Tensor") -> "torch.Tensor":
        """Cuts or pads what `scale` returned to squares, uint8 (n, 3, size, size)."""
        import torch

        if self.policy == "crop":
            return _middle(scaled, self.size).contiguous(memory_format=torch.channels_last)
        height, width = scaled.shape[2:]
        if (height, width) == (self.size, self.size):
            return scaled
        top, left = (self.size - height) // 2, (self.size - width) // 2
        ground = scaled.new_tensor(self.fill).view(1, 3, 1, 1).expand(len(scaled), 3, self.size, self.size)
        squares = ground.contiguous(memory_format=torch.channels_last)
        squares[:, :, top : top + height, left : left + width] = scaled
        return squares

    def _resized(self, images: "torch.Tensor", height: int, width: int) -> "torch.Tensor":
        from torch.nn.functional import interpolate

        if images.shape[2:] == (height, width):
            return images
        return interpolate(images, size=(height, width), mode=self.filter, antialias=True)


def _middle(images: "torch.Tensor", side: int) -> "torch.Tensor":
    """The square of so many pixels in the middle of images (n, 3, height, width)."""
    top, left = ((length - side) // 2 for length in images.shape[2:])
    return images[:, :, top : top + side, left : left + side]
