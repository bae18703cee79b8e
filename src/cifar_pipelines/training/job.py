"""A training as plain data for its workers, and how they read their shares of the image table."""

from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

from cifar_pipelines.networks import NetworkShape, build_network
from cifar_pipelines.training.recipe import Recipe

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
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
        validation_images: Images of the split `validation_from`, the first by rank, on which the learning curve is drawn.
        checkpoint: Folder of the checkpoint.
        attempt: How often the run has begun to train before, after a worker was lost.
        validation_from: "validation", or "test" where no images were cut from training.
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
    validation_from: str = "test"

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
        """Reads one worker's training images: of every `recipe.batch_size`, as many as it takes per step."""
        import numpy as np

        from cifar_pipelines.training.shard import Shard

        ranks = np.sort(np.concatenate([batch.column("rank").to_numpy() for batch in self._scan("train", ["rank"])]))
        # Shuffled first: in a stratified subset classes take turns, and every second image is of every second class.
        position = np.random.default_rng(self.seed).permutation(len(ranks))
        mine = ranks[position % self.recipe.batch_size % workers == rank]
        images, labels = self._read("train", mine)
        return Shard(images, labels, self.seed + rank)

    def read_validation(self, rank: int, workers: int) -> tuple["Tensor", "Tensor"]:
        """Reads one worker's share of the validation images: uint8 (n, 3, size, size) and int64 (n,)."""
        import numpy as np

        return self._read(self.validation_from, np.arange(rank, self.validation_images, workers))

    def _read(self, split: str, ranks: "np.ndarray") -> tuple["Tensor", "Tensor"]:
        """Reads and decodes the images of these ranks, in the order of their ranks."""
        import pyarrow as pa
        import pyarrow.compute as pc
        import torch

        from cifar_pipelines.common.images import load_batch

        wanted, size = pa.array(ranks), self.shape.size
        read = []
        for batch in self._scan(split, ["rank", "label", "image"]):
            mine = batch.filter(pc.is_in(batch.column("rank"), value_set=wanted)).to_pydict()
            # At once, because the file of a photograph is a thousand times larger than its pixels will be.
            pixels = load_batch(mine["image"], size).permute(0, 2, 3, 1) if mine["image"] else ()
            read += zip(mine["rank"], mine["label"], pixels, strict=True)
        read.sort(key=itemgetter(0))
        images = torch.stack([one for *_, one in read]) if read else torch.empty(0, size, size, 3, dtype=torch.uint8)
        return images.permute(0, 3, 1, 2), torch.tensor([label for _, label, _ in read], dtype=torch.int64)

    def _scan(self, split: str, columns: list[str]) -> Iterator["pa.RecordBatch"]:
        import pyarrow.compute as pc
        from pyarrow import dataset

        table = dataset.dataset([_local_path(file) for file in self.files], format="parquet")
        yield from table.to_batches(
            columns=columns, filter=pc.field("split") == split, batch_size=READ_ROWS, use_threads=False
        )


def _local_path(file: str) -> str:
    """The path of a file:// address, as Spark names the files of a table."""
    parsed = urlparse(file)
    return unquote(parsed.path) if parsed.scheme == "file" else file
