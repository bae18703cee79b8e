"""A training as plain data for its workers, and how they read their shares of the image table."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from cifar_pipelines.common.table_files import path_of
from cifar_pipelines.networks import NetworkShape, build_network
from cifar_pipelines.training.recipe import Recipe, create_optimizer

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from torch import Tensor, nn, optim

    from cifar_pipelines.training.shard import Shard
    from cifar_pipelines.training.trainer import Trainer

READ_ROWS = 512


class Job(ABC):
    """What an engine trains, as plain data that travels to the workers: a CNN, or one phase of a transfer.

    Attributes:
        files: The Parquet files of the image table, on storage that every worker sees.
        train_images: Training images in all.
        precision: "bf16", "fp32" or, on a GPU, "fp16".
        checkpoint: Folder of the checkpoint.
        attempt: How often the job has begun to train before, after a worker was lost.
    """

    files: tuple[str, ...]
    train_images: int
    precision: str
    checkpoint: str
    attempt: int
    on_gpu = False  # whether a card of its own computes for every worker

    @property
    @abstractmethod
    def epochs(self) -> int:
        """Epochs at most."""

    @property
    @abstractmethod
    def images_per_step(self) -> int:
        """Images per step, over all workers."""

    @abstractmethod
    def build_network(self) -> "nn.Module":
        """The network with its first weights, the same on every worker, in the layout that CPUs convolve fastest."""

    @abstractmethod
    def create_optimizer(self, network: "nn.Module") -> "optim.Optimizer":
        """The optimizer of what the network learns."""

    @abstractmethod
    def create_trainer(
        self, network: "nn.Module", optimizer: "optim.Optimizer", model: "nn.Module", rank: int, workers: int
    ) -> "Trainer":
        """The trainer of one worker, which reads the worker's images."""

    @abstractmethod
    def read_validation(self, rank: int, workers: int) -> Any:
        """Reads one worker's share of the validation images, as the trainer's `evaluate` takes them."""

    def owns(self, state: dict[str, Any]) -> bool:
        """Whether the state of a checkpoint is of this job, and not of one before it."""
        return True

    def has_stopped(self, history: list[dict[str, float]]) -> bool:
        """Whether nothing more is gained by further epochs; `history` is that of the whole training."""
        return False

    def facts(self) -> dict[str, int]:
        """What a row of the history holds besides."""
        return {}

    @property
    def steps(self) -> int:
        """Steps of one epoch; images that do not fill a last batch sit out, other ones in every epoch."""
        return self.train_images // self.images_per_step

    def batch_size(self, rank: int, workers: int) -> int:
        """Images per step of one worker; together the workers take exactly `images_per_step`."""
        share, rest = divmod(self.images_per_step, workers)
        return share + (rank < rest)

    def loss_weight(self, rank: int, workers: int) -> float:
        """A worker's images per step over the mean of all workers'."""
        return self.batch_size(rank, workers) * workers / self.images_per_step


@dataclass(frozen=True)
class TrainingJob(Job):
    """The training of a CNN from scratch.

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
    def epochs(self) -> int:
        """Epochs of the recipe."""
        return self.recipe.epochs

    @property
    def images_per_step(self) -> int:
        """The recipe's batch size."""
        return self.recipe.batch_size

    def build_network(self) -> "nn.Module":
        """See `Job`."""
        import torch

        torch.manual_seed(self.seed)
        return build_network(self.network, self.shape, self.options).to(memory_format=torch.channels_last)

    def create_optimizer(self, network: "nn.Module") -> "optim.Optimizer":
        """SGD by the recipe."""
        return create_optimizer(network, self.recipe)

    def create_trainer(
        self, network: "nn.Module", optimizer: "optim.Optimizer", model: "nn.Module", rank: int, workers: int
    ) -> "Trainer":
        """See `Job`."""
        from cifar_pipelines.training.trainer import Trainer

        shard, batch_size = self.read_shard(rank, workers), self.batch_size(rank, workers)
        return Trainer(
            network, optimizer, self.recipe, shard, self.steps, batch_size, self.precision, model,
            loss_weight=self.loss_weight(rank, workers),
        )  # fmt: skip

    def read_shard(self, rank: int, workers: int) -> "Shard":
        """Reads one worker's training images: of every `recipe.batch_size`, as many as it takes per step."""
        import numpy as np

        from cifar_pipelines.training.shard import Shard

        ranks = np.sort(
            np.concatenate([batch.column("rank").to_numpy() for batch in scan(self.files, "train", ["rank"])])
        )
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
        for batch in scan(self.files, split, ["rank", "label", "image"]):
            mine = batch.filter(pc.is_in(batch.column("rank"), value_set=wanted)).to_pydict()
            # At once, because the file of a photograph is a thousand times larger than its pixels will be.
            pixels = load_batch(mine["image"], size).permute(0, 2, 3, 1) if mine["image"] else ()
            read += zip(mine["rank"], mine["label"], pixels, strict=True)
        read.sort(key=itemgetter(0))
        images = torch.stack([one for *_, one in read]) if read else torch.empty(0, size, size, 3, dtype=torch.uint8)
        return images.permute(0, 3, 1, 2), torch.tensor([label for _, label, _ in read], dtype=torch.int64)


def scan(files: tuple[str, ...], split: str, columns: list[str]) -> Iterator["pa.RecordBatch"]:
    """Reads columns of one split of an image table, given by its files, batch by batch."""
    import pyarrow.compute as pc
    from pyarrow import dataset

    table = dataset.dataset([path_of(file) for file in files], format="parquet")
    yield from table.to_batches(
        columns=columns, filter=pc.field("split") == split, batch_size=READ_ROWS, use_threads=False
    )
