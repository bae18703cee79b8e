"""A trained network as its variants are made from it, whatever saved it, and the images that they may look at."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.images import load_batch
from cifar_pipelines.training.shard import normalise
from cifar_pipelines.training.trained_network import TrainedNetwork

BATCH = 32  # images that are decoded and predicted at once


@dataclass(frozen=True)
class Subject:
    """A trained network.

    Attributes:
        build: Makes the module with its trained weights, float32, in evaluation mode; every call a new one.
        size: Height and width of its images in pixels.
        class_names: Names of the classes, by label.
        normalise: Maps uint8 images (n, 3, size, size) to what the module takes, float32 of the same shape.
        notes: What of its prediction is no part of the module, in sentences.
    """

    build: Callable[[], nn.Module]
    size: int
    class_names: tuple[str, ...]
    normalise: Callable[[Tensor], Tensor]
    notes: tuple[str, ...] = ()

    def example(self, images: int) -> Tensor:
        """Noise of the shape that the module takes, float32 (images, 3, size, size)."""
        return torch.randn(images, 3, self.size, self.size, generator=torch.Generator().manual_seed(0))


def load_subject(file: Path) -> Subject:
    """Loads a saved network; runs no code from the file.

    Raises:
        UserError: If the file holds no network of the project.
    """
    try:
        trained = TrainedNetwork.from_dict(torch.load(file, weights_only=True))
    except Exception as error:  # a truncated or foreign file can fail in any way
        raise UserError(
            f"{file} holds no trained network that can be read ({type(error).__name__}). Train the network again."
        ) from error
    mirrored = "The training predicted with the mean over an image and its mirror image; here an image is seen once."
    notes = (mirrored,) if trained.training.get("recipe", {}).get("flip_at_test") else ()
    return Subject(trained.build, trained.shape.size, trained.class_names, normalise, notes)


@dataclass(frozen=True)
class ImageTable:
    """The image table, read without Spark.

    Attributes:
        files: Paths of its Parquet files.
        size: Height and width in pixels to which its images are resized.
    """

    files: tuple[str, ...]
    size: int

    def batches(self, split: str, first: int | None = None) -> Iterator[tuple[list[str], Tensor, Tensor]]:
        """Reads the images of a split, or the first of them by rank.

        Yields:
            Ids; labels, int64 (n,); images, uint8 (n, 3, size, size).
        """
        import pyarrow.compute as pc
        from pyarrow import dataset

        wanted = pc.field("split") == split
        if first is not None:
            wanted &= pc.field("rank") < first
        table = dataset.dataset(list(self.files), format="parquet")
        columns = ["image_id", "label", "image"]
        for batch in table.to_batches(columns=columns, filter=wanted, batch_size=BATCH, use_threads=False):
            if batch.num_rows:
                images = load_batch(batch.column("image").to_pylist(), self.size)
                yield batch.column("image_id").to_pylist(), torch.tensor(batch.column("label").to_pylist()), images

    def read(self, split: str, first: int | None = None) -> tuple[Tensor, Tensor]:
        """The images of `batches` at once: uint8 (n, 3, size, size) and labels, int64 (n,).

        Raises:
            UserError: If there are none.
        """
        read = [(images, labels) for _, labels, images in self.batches(split, first)]
        if not read:
            raise UserError(f"The image table holds no {split} images. Make the images again with more of them.")
        images, labels = zip(*read, strict=True)
        return torch.cat(images), torch.cat(labels)


@dataclass(frozen=True)
class Material:
    """What a variant may use beside the network.

    Attributes:
        table: The image table; test images are not for making variants.
        calibration_images: From so many training images, the first by rank, the ranges of activations are taken.
        seed: Seeds what is drawn at random.
    """

    table: ImageTable
    calibration_images: int
    seed: int

    def calibration(self, subject: Subject) -> list[Tensor]:
        """The calibration images as the module takes them, in batches, float32 (n, 3, size, size)."""
        images, _ = self.table.read("train", self.calibration_images)
        return [subject.normalise(batch) for batch in images.split(BATCH)]
