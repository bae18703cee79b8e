"""What every worker of a training is told, and how it reads its share of the image table."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

from cifar_pipelines.networks import NetworkShape, build_network
from cifar_pipelines.training.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor, nn

    from cifar_pipelines.training.shard import Shard

READ_ROWS = 512


@dataclass(frozen=True)
class TrainingJob:
    """A training, as plain data that travels to the workers.

    Attributes:
        network: Name of the network.
        options: Its options.
        shape: Image size and number of classes.
        recipe: The recipe.
        precision: "bf16" or "fp32".
        seed: Seeds weights, order and augmentation.
        files: The Parquet files of the image table, on storage that every worker sees.
        train_images: Training images in all.
        validation_images: Test images, the first by rank, on which the learning curve is drawn.
        checkpoint: Folder of the checkpoint.
        attempt: How often the run has begun to train before, after a worker was lost.
    """

    network: str
    options: dict[str, Any]
    shape: NetworkShape
    recipe: Recipe
    precision: str
    seed: int
    files: tuple[str, ...]
    train_images: int
    validation_images: int
    checkpoint: str
    attempt: int = 0

    @property
    def steps(self) -> int:
        """Steps of one epoch; images that do not fill a last batch sit out, other ones in every epoch."""
        return self.train_images // self.recipe.batch_size

    def batch_size(self, rank: int, workers: int) -> int:
        """Images per step of one worker; together the workers take exactly `recipe.batch_size`."""
        share, rest = divmod(self.recipe.batch_size, workers)
        return share + (rank < rest)

    def build_network(self) -> "nn.Module":
        """The network with its first weights, the same on every worker, in the layout that CPUs convolve fastest."""
        import torch

        torch.manual_seed(self.seed)
        return build_network(self.network, self.shape, self.options).to(memory_format=torch.channels_last)

    def read_shard(self, rank: int, workers: int) -> "Shard":
        """Reads one worker's training images: of every `recipe.batch_size` by rank, as many as it takes per step."""
        from cifar_pipelines.training.shard import Shard

        images, labels = self._read("train", None, rank, workers)
        return Shard(images, labels, self.seed + rank)

    def read_validation(self, rank: int, workers: int) -> tuple["Tensor", "Tensor"]:
        """Reads one worker's share of the validation images: uint8 (n, 3, size, size) and int64 (n,)."""
        return self._read("test", self.validation_images, rank, workers)

    def _read(self, split: str, limit: int | None, rank: int, workers: int) -> tuple["Tensor", "Tensor"]:
        import torch

        from cifar_pipelines.extractors.images import decode, resize

        rows = sorted(self._rows(split, limit, rank, workers), key=lambda row: row["rank"])
        if not rows:
            size = self.shape.size
            return torch.empty(0, 3, size, size, dtype=torch.uint8), torch.empty(0, dtype=torch.int64)
        parts = [
            resize([decode(row["image"]) for row in rows[start : start + READ_ROWS]], self.shape.size)
            for start in range(0, len(rows), READ_ROWS)
        ]
        return torch.cat(parts), torch.tensor([row["label"] for row in rows])

    def _rows(self, split: str, limit: int | None, rank: int, workers: int) -> Iterator[dict[str, Any]]:
        import pyarrow.compute as pc
        from pyarrow import dataset

        table = dataset.dataset([_local_path(file) for file in self.files], format="parquet")
        wanted = pc.field("split") == split
        if limit is not None:
            wanted &= pc.field("rank") < limit
        batches = table.to_batches(
            columns=["rank", "label", "image"], filter=wanted, batch_size=READ_ROWS, use_threads=False
        )
        for batch in batches:
            place = _modulo(batch.column("rank"), self.recipe.batch_size)
            yield from batch.filter(pc.equal(_modulo(place, workers), rank)).to_pylist()


def _modulo(values: Any, divisor: int) -> Any:
    import pyarrow.compute as pc

    return pc.subtract(values, pc.multiply(pc.divide(values, divisor), divisor))


def _local_path(file: str) -> str:
    """The path of a file:// address, as Spark names the files of a table."""
    parsed = urlparse(file)
    return unquote(parsed.path) if parsed.scheme == "file" else file
