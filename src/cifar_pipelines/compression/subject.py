"""A trained network as its variants are made from it, whatever saved it, and the images that they may look at."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import psutil
import torch
from torch import Tensor, nn

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.images import load_batch
from cifar_pipelines.common.options import build
from cifar_pipelines.common.squares import Square
from cifar_pipelines.training.augmentation import build_augmentation
from cifar_pipelines.training.draws import Draws
from cifar_pipelines.training.phases import CACHE
from cifar_pipelines.training.prediction_views import PredictionViews
from cifar_pipelines.training.recipe import Recipe
from cifar_pipelines.training.saved_network import read_network
from cifar_pipelines.training.shard import Shard, normalise
from cifar_pipelines.training.trained_network import TrainedNetwork
from cifar_pipelines.training.transferred_network import TransferredNetwork

if TYPE_CHECKING:
    from pyarrow.dataset import Dataset

BATCH = 32  # images that are decoded and predicted at once


class Epochs(Protocol):
    """Makes the batches of an epoch, changed at random as when the network was trained."""

    def __call__(
        self, images: Tensor, labels: Tensor, seed: int, epoch: int, batch_size: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Makes the batches of one epoch.

        Args:
            images: Training images, uint8 (n, 3, size, size).
            labels: Their labels, int64 (n,).
            seed: Decides with the epoch what is drawn.
            epoch: Counted from 0.
            batch_size: Images of a batch; what does not fill one is left out.

        Yields:
            What the module takes, float32 (batch_size, 3, size, size), and labels.
        """


@dataclass(frozen=True)
class Subject:
    """A trained network.

    Attributes:
        build: Makes the module with its trained weights, float32, in evaluation mode; every call a new one.
        square: What it sees of an image.
        class_names: Names of the classes, by label.
        normalise: Maps uint8 images (n, 3, size, size) to what the module takes, float32 of the same shape.
        notes: What of its prediction is no part of the module, in sentences.
        learned_from: Makes batches of training images, as it learned from them; None where it never learned.
    """

    build: Callable[[], nn.Module]
    square: Square
    class_names: tuple[str, ...]
    normalise: Callable[[Tensor], Tensor]
    notes: tuple[str, ...] = ()
    learned_from: Epochs | None = None

    @property
    def size(self) -> int:
        """Height and width of its images in pixels."""
        return self.square.size

    def example(self, images: int) -> Tensor:
        """Noise of the shape that the module takes, float32 (images, 3, size, size)."""
        return torch.randn(images, 3, self.size, self.size, generator=torch.Generator().manual_seed(0))


def load_subject(file: Path) -> Subject:
    """Loads a saved network; runs no code from the file.

    Raises:
        UserError: If the file holds no network of the project.
    """
    network = read_network(file)
    known = network.training
    views = PredictionViews.of({"flip_at_test": False} | known).count
    averaged = f"The training predicted with the mean over {views} views of an image, mirrored or shifted; here an image is seen once."
    notes = (averaged,) if views > 1 else ()
    if isinstance(network, TrainedNetwork):
        own, epochs = normalise, partial(_by_recipe, known)
    else:
        own, epochs = network.input.prepare, partial(_by_phase, network)
    return Subject(network.build, network.input.square, network.class_names, own, notes, epochs)


def _by_recipe(
    training: dict[str, Any], images: Tensor, labels: Tensor, seed: int, epoch: int, batch_size: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches as a CNN of the project's own learned from them."""
    recipe = build(Recipe, training.get("recipe"), "the recipe that the network was trained with")
    return Shard(images, labels, seed).batches(epoch, len(images) // batch_size, batch_size, recipe)


def _by_phase(
    network: TransferredNetwork, images: Tensor, labels: Tensor, seed: int, epoch: int, batch_size: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches as a pretrained network learned from them in its last phase; images are not mixed.

    Where that was on stored features of several views, there were mirror images too.
    """
    phase, mirrored = network.training["phases"][-1], (network.training.get("views") or 1) > 1
    augmentation = build_augmentation(["flip"] if phase["inputs"] == CACHE and mirrored else phase["augmentation"])
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63))
    for chosen in order[: len(images) // batch_size * batch_size].split(batch_size):
        yield network.input.prepare(augmentation(images[chosen], Draws.begin(chosen, seed, epoch))), labels[chosen]


@dataclass(frozen=True)
class ImageTable:
    """The image table, read without Spark.

    Attributes:
        files: Paths of its Parquet files.
        square: What a network sees of its images.
    """

    files: tuple[str, ...]
    square: Square

    def batches(self, split: str, first: int | None = None) -> Iterator[tuple[list[str], Tensor, Tensor]]:
        """Reads the images of a split, or the first of them by rank.

        Yields:
            Ids; labels, int64 (n,); images, uint8 (n, 3, size, size).
        """
        import pyarrow.compute as pc

        wanted = pc.field("split") == split
        if first is not None:
            wanted &= pc.field("rank") < first
        columns = ["image_id", "label", "image"]
        for batch in self._dataset().to_batches(columns=columns, filter=wanted, batch_size=BATCH, use_threads=False):
            if batch.num_rows:
                images = load_batch(batch.column("image").to_pylist(), self.square)
                yield batch.column("image_id").to_pylist(), torch.tensor(batch.column("label").to_pylist()), images

    def count(self, split: str) -> int:
        """How many images a split has."""
        import pyarrow.compute as pc

        return self._dataset().count_rows(filter=pc.field("split") == split)

    def read(self, split: str, first: int | None = None) -> tuple[Tensor, Tensor]:
        """The images of `batches` at once: uint8 (n, 3, size, size) and labels, int64 (n,).

        Raises:
            UserError: If there are none, or memory would not suffice for them.
        """
        self._require_memory(split, first)
        read = [(images, labels) for _, labels, images in self.batches(split, first)]
        if not read:
            raise UserError(f"The image table holds no {split} images. Make the images again with more of them.")
        images, labels = zip(*read, strict=True)
        return torch.cat(images), torch.cat(labels)

    def _require_memory(self, split: str, first: int | None) -> None:
        """Raises a `UserError` where the images of `read` would not fit, of which there are two copies while batches are joined."""
        images, size = min(self.count(split), first or sys.maxsize), self.square.size
        needed, free = 2 * images * 3 * size**2, psutil.virtual_memory().available
        if needed > free:
            raise UserError(
                f"{images:,} {split} images of {size}x{size} pixels take {needed / 2**20:,.0f} MiB of memory while they are read, and "
                f"{free / 2**20:,.0f} MiB are free. Close other programs, take fewer images (train_size), or leave out of "
                "deployment.variants what needs them, such as structured_pruning."
            )

    def _dataset(self) -> "Dataset":
        from pyarrow import dataset

        return dataset.dataset(list(self.files), format="parquet")


@dataclass(frozen=True)
class Material:
    """What a variant may use beside the network.

    Attributes:
        table: The image table; test images are not for making variants.
        calibration_images: From so many training images, the first by rank, the ranges of activations are taken, and what
            channels are worth.
        seed: Seeds what is drawn at random.
    """

    table: ImageTable
    calibration_images: int
    seed: int

    def calibration(self, subject: Subject) -> list[Tensor]:
        """The calibration images as the module takes them, in batches, float32 (n, 3, size, size)."""
        images, _ = self.table.read("train", self.calibration_images)
        return [subject.normalise(batch) for batch in images.split(BATCH)]
