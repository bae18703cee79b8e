"""Feature extractors: an image or a text in, a vector of numbers out. One file, one extractor, both of the same name.

What follows a colon in the name of an extractor chooses a variant of it: "torchvision:mobilenet_v2" is mobilenet_v2 of
`torchvision.py`.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from cifar_pipelines.backbones import InputSpec
from cifar_pipelines.common.contents import IMAGE, Content
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.images import load_batch
from cifar_pipelines.common.options import checked_options
from cifar_pipelines.common.registry import FileRegistry
from cifar_pipelines.common.squares import Square

if TYPE_CHECKING:
    import numpy as np
    import torch
    from pyspark.sql import DataFrame

State = dict[str, "np.ndarray"]
FeatureFunction = Callable[["torch.Tensor"], "np.ndarray"]


class Extractor(ABC):
    """Turns images into feature vectors.

    An extractor is described on the driver, prepared once (weights loaded or a dictionary learned), and
    built in every Python worker from the prepared state. Its class takes a variant (empty for none), the name of its
    weights (None for its own), an input size (None for its default) and, keyword-only and with defaults, its options.

    Attributes:
        name: The name by which it was asked for.
        input_size: Height and width in pixels to which images are resized before they enter.
        training_images: Number of training images that `prepare` wants to see; 0 for none.
        content: What it reads, images or texts.
        input: What its pretrained weights expect of an image; None for one without such weights.
    """

    name: str
    input_size: int
    training_images: int = 0
    content: ClassVar[Content] = IMAGE
    input: InputSpec | None = None

    @property
    def square(self) -> Square:
        """How images become what it sees: as its weights expect, or squashed to `input_size`."""
        return self.input.square if self.input else Square(self.input_size)

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
            The state that is broadcast to the workers: arrays by name.
        """

    @abstractmethod
    def build(self, state: State, precision: str) -> FeatureFunction:
        """Builds the feature function, in "fp32" or "bf16", from what `prepare` returned; runs once per Python worker.

        Returns:
            A function from uint8 images of shape (n, 3, input_size, input_size) to float32 features of
            shape (n, d).
        """

    def load(self, encoded: Sequence[bytes]) -> "torch.Tensor":
        """Decodes files as the feature function takes them."""
        return load_batch(encoded, self.square)

    def chunks(self, encoded: Sequence[bytes], size: int) -> Iterator[list[int]]:
        """Positions of the files that enter the feature function together, at most `size` of them."""
        for start in range(0, len(encoded), size):
            yield list(range(start, min(start + size, len(encoded))))

    def example(self, files: int) -> "torch.Tensor":
        """An input of so many files that mean nothing, for warming up."""
        import torch

        return torch.zeros((files, 3, self.input_size, self.input_size), dtype=torch.uint8)

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Where the weights come from, for the run record: keys `extractor`, `weights`, `input_size`.

        One with pretrained weights adds their `weights_sha256` and `input`, an `InputSpec` as JSON.
        """


class TableExtractor(Extractor):
    """Turns tables into feature vectors by Spark itself, without a Python worker: they may be sparse."""

    input_size = None  # of an image

    @abstractmethod
    def learn(self, table: "DataFrame") -> State:
        """Learns from the training rows of an image table, and returns the state: arrays by name."""

    @abstractmethod
    def transform(self, table: "DataFrame", state: State) -> "DataFrame":
        """Puts the column `features`, vectors of Spark ML, in the place of the column `image`; all others stay."""

    def prepare(self, images: Sequence[bytes], seed: int) -> State:
        """Is never asked: `learn` does this."""
        raise NotImplementedError

    def build(self, state: State, precision: str) -> FeatureFunction:
        """Is never asked: `transform` does this."""
        raise NotImplementedError


_registry = FileRegistry[type[Extractor]](__name__, "extractor")
register, names, require_known = _registry.register, _registry.names, _registry.require_known


def create_extractor(
    name: str,
    weights_path: str | None = None,
    input_size: int | None = None,
    options: dict[str, Any] | None = None,
    weights: str | None = None,
) -> Extractor:
    """Creates an extractor by name; it is not checked yet.

    Args:
        name: A name of `names()`, with its variant where it has some, such as "torchvision:mobilenet_v2".
        weights_path: A file with weights, the same as `weights` "path:<file>".
        input_size: Height and width in pixels; None takes the extractor's own default.
        options: The extractor's own settings, which are the keyword-only arguments of its class.
        weights: The weights, as `backbones.load_weights` takes them; None takes the extractor's own.

    Raises:
        UserError: If the name or an option is unknown, or weights are given twice.
    """
    weights = weights_named(weights_path, weights)
    file, _, variant = str(name).partition(":")
    extractor = _registry.find(file)
    checked = checked_options(extractor, options, f"the extractor {file!r}")
    return extractor(variant, weights, input_size, **checked)


def weights_named(weights_path: str | None, weights: str | None) -> str | None:
    """The weights of the two parameters that may name them; raises UserError if both do."""
    if weights_path is None:
        return weights
    if weights is not None:
        raise UserError(f"weights is {weights!r} and weights_path {weights_path!r}, but only one may be given.")
    return f"path:{weights_path}"


def content_read_by(name: str) -> Content:
    """What the extractor of a name reads, images or texts; raises UserError for an unknown name."""
    return _registry.find(str(name).partition(":")[0]).content


def state_sha256(state: State) -> str:
    """Identifies a prepared state by the content of its arrays; a SHA-256 in hexadecimal."""
    import numpy as np

    digest = hashlib.sha256()
    for name, array in sorted(state.items()):
        digest.update(f"{name} {array.dtype} {array.shape}\0".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def options_of(name: str, options: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The options of an extractor, from the options of all of them by file."""
    return dict(options.get(str(name).partition(":")[0]) or {})
