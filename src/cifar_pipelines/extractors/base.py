"""What every feature extractor offers."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import torch

State = dict[str, Any]
FeatureFunction = Callable[["torch.Tensor"], "np.ndarray"]


class Extractor(ABC):
    """Turns images into feature vectors.

    An extractor is described on the driver, prepared once (weights loaded or a dictionary learned), and
    built in every Python worker from the prepared state.

    Attributes:
        name: The name by which it was asked for.
        input_size: Height and width in pixels to which images are resized before they enter.
        training_images: Number of training images that `prepare` wants to see; 0 for none.
    """

    name: str
    input_size: int
    training_images: int = 0

    @abstractmethod
    def check(self) -> None:
        """Raises a `UserError` if `prepare` is bound to fail; called before anything starts."""

    @abstractmethod
    def prepare(self, images: Sequence[bytes], seed: int) -> State:
        """Loads weights or learns a dictionary; runs on the driver.

        Args:
            images: Encoded training images, `training_images` of them or all if there are fewer.
            seed: Seed of whatever is drawn.

        Returns:
            A picklable state that is broadcast to the workers.
        """

    @abstractmethod
    def build(self, state: State, precision: str) -> FeatureFunction:
        """Builds the feature function; runs once per Python worker.

        Args:
            state: What `prepare` returned.
            precision: "fp32" or "bf16".

        Returns:
            A function from uint8 images of shape (n, 3, input_size, input_size) to float32 features of
            shape (n, d).
        """

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Where the weights come from, for the run record: keys `extractor`, `weights`, `input_size`."""
