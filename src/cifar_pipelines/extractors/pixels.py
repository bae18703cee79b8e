"""`pixels`: the numbers of the image itself, for learners that are to find out alone what is in it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.extractors import Extractor, FeatureFunction, State, register

if TYPE_CHECKING:
    import numpy as np
    import torch

FLAT = 1e-3  # standard deviation of an image of one colour


@register
class Pixels(Extractor):
    """The pixels of a resized image, 3 * `input_size` ** 2 numbers: red, green and blue one after the other, line by line.

    Args:
        input_size: Height and width in pixels to which images are resized; None for 32.
        normalise: Whether every image gets mean 0 and standard deviation 1, so that brightness and contrast do not matter; else
            pixels lie between 0 and 1.
    """

    def __init__(
        self, variant: str = "", weights: str | None = None, input_size: int | None = None, *, normalise: bool = False
    ) -> None:
        if variant or weights is not None:
            what = f"the variant {variant!r}" if variant else "weights"
            raise UserError(f"pixels are what they are, but {what} was asked for. Leave it out.")
        self.name, self.input_size, self.normalise = "pixels", input_size or 32, normalise

    def check(self) -> None:
        """Passes: nothing can be missing."""

    def prepare(self, images: Sequence[bytes], seed: int) -> State:
        """Learns nothing."""
        return {}

    def build(self, state: State, precision: str) -> FeatureFunction:
        """Builds the function that lays pixels in a row, which has full precision always."""

        def features(images: "torch.Tensor") -> "np.ndarray":
            rows = images.flatten(1).float() / 255
            if self.normalise:
                rows = rows - rows.mean(1, keepdim=True)
                rows = rows / rows.std(1, correction=0, keepdim=True).clamp_min(FLAT)
            return rows.numpy()

        return features

    def describe(self) -> dict[str, Any]:
        """Name and input size."""
        weights = f"none; pixels{', of every image mean 0 and standard deviation 1' if self.normalise else ''}"
        return {"extractor": self.name, "weights": weights, "input_size": self.input_size}
