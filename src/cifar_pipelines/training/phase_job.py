"""One phase of a transfer as plain data for its workers."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn, optim

from cifar_pipelines.backbones import Backbone, InputSpec, TextSpec, create_backbone
from cifar_pipelines.common import whole_files
from cifar_pipelines.training.augmentation import build_augmentation
from cifar_pipelines.training.batches import Order, PlacedShard, draw_places
from cifar_pipelines.training.batchnorm import freeze_all_but
from cifar_pipelines.training.checkpoint import Checkpoint
from cifar_pipelines.training.depthwise import learn_depthwise_in_float32
from cifar_pipelines.training.device import Device, device_of
from cifar_pipelines.training.draws import image_keys
from cifar_pipelines.training.job import Job, scan
from cifar_pipelines.training.loading import Pictures, Streamed, loading_processes
from cifar_pipelines.training.phase_trainer import PhaseTrainer
from cifar_pipelines.training.phases import Phase, learning_prefixes
from cifar_pipelines.training.texts import Texts

_START = "start.pt"
_EPOCHS = 10_000  # more than a phase has, so that no two epochs of a transfer draw the same


@dataclass(frozen=True)
class PhaseJob(Job):
    """One phase, trained on images by an engine.

    Its checkpoint is that of the whole transfer: the state of an earlier phase holds the weights that this one begins
    with; before the first phase, `write_start` has left them there.

    Attributes:
        backbone: Name of the network.
        classes: Number of classes.
        input: What the network expects of an image, or of a text.
        phase: The phase.
        number: Its number, from 1.
        seed: Seeds order, augmentation and what is random in the network.
        keep: "best" or "last"; see `phase_trainer.KEPT`.
        validation: Split and number of the images on which the learning curve is drawn, the first by rank.
        loader: "memory" or "workers:<n>".
        on_gpu: Whether every worker computes on a card of its own.
        pinned: Whether batches on their way to a card are pinned.
    """

    backbone: str
    classes: int
    input: InputSpec | TextSpec
    phase: Phase
    number: int
    seed: int
    keep: str
    validation: tuple[str, int]
    loader: str
    precision: str
    files: tuple[str, ...]
    train_images: int
    checkpoint: str
    on_gpu: bool = False
    pinned: bool = True
    attempt: int = 0

    @property
    def epochs(self) -> int:
        """Epochs of the phase, at most."""
        return self.phase.epochs

    @property
    def images_per_step(self) -> int:
        """The phase's batch size."""
        return self.phase.batch_size

    @property
    def device(self) -> Device:
        """Where this worker computes."""
        return device_of(self.on_gpu, self.pinned)

    @property
    def created_backbone(self) -> Backbone:
        """The network, of which nothing is built."""
        return create_backbone(self.backbone, self.input)

    def owns(self, state: dict[str, Any]) -> bool:
        """Whether a state is of this phase."""
        return state["phase"] == self.number

    def facts(self) -> dict[str, int]:
        """The number of the phase."""
        return {"phase": self.number}

    def has_stopped(self, history: list[dict[str, float]]) -> bool:
        """Whether the last `patience` epochs of the phase were no better than one before them."""
        scores = [row["validation_accuracy"] for row in history if row["phase"] == self.number]
        return bool(self.phase.patience and scores) and (
            len(scores) - 1 - scores.index(max(scores)) >= self.phase.patience
        )

    def build_network(self) -> nn.Module:
        """The network as the phase before left it, with what this phase trains."""
        backbone = self.created_backbone
        network = backbone.build(self.classes)
        network.load_state_dict(first_weights(self.checkpoint, self.number))
        freeze_all_but(network, learning_prefixes(self.phase, backbone.stages(), self.backbone), self.phase.bn)
        if self.precision == "bf16" and not self.on_gpu:
            learn_depthwise_in_float32(network)
        return network.to(self.device.name, memory_format=torch.channels_last)

    def create_optimizer(self, network: nn.Module) -> optim.Optimizer:
        """The phase's optimiser, with groups by block."""
        return self.phase.optimiser.create(network, self.created_backbone.stages())

    def create_trainer(
        self, network: nn.Module, optimizer: optim.Optimizer, model: nn.Module, rank: int, workers: int
    ) -> PhaseTrainer:
        """See `Job`; reads the worker's images."""
        return PhaseTrainer(
            network, optimizer, self.phase, self.read_shard(rank, workers), self.steps, self.batch_size(rank, workers),
            self.precision, model, loss_weight=self.loss_weight(rank, workers), batches_of=self.batches,
            prepare=partial(_prepared, self.input, self.device), phase=self.number, keep=self.keep, seed=self.seed,
            device=self.device,
        )  # fmt: skip

    def read_shard(self, rank: int, workers: int) -> PlacedShard:
        """Reads one worker's training images, which have places of their own in every batch."""
        read = [batch.column("rank").to_numpy() for batch in scan(self.files, "train", ["rank"])]
        ranks = np.sort(np.concatenate(read))
        places = draw_places(len(ranks), self.phase.batch_size, self.seed)
        mine = places % workers == rank
        images, labels, keys = self._read("train", ranks[mine])
        return PlacedShard(images, labels, keys, places[mine], self.seed, images.lengths)

    def read_validation(self, rank: int, workers: int) -> "tuple[Batches, Tensor]":
        """Reads one worker's share of the validation images, as batches of pixels, and all its labels."""
        split, count = self.validation
        pictures, labels, _ = self._read(split, np.arange(rank, count, workers))
        return Batches(pictures), labels

    def drawn_epoch(self, epoch: int) -> int:
        """The number by which an epoch of this phase, counted from 0, draws."""
        return self.number * _EPOCHS + epoch

    def batches(self, shard: PlacedShard, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of an epoch of this phase, counted from 0."""
        drawn, mixing = self.drawn_epoch(epoch), self.phase.mixing
        if shard.images.processes:
            order = Order(shard, drawn, self.steps)
            chosen = [order(step).tolist() for step in range(self.steps + bool(mixing))]
            shard = replace(shard, images=Streamed(shard.images.batches(chosen)))
        augmentation = build_augmentation(self.phase.augmentation)
        return shard.batches(drawn, self.steps, self.classes, augmentation, mixing)

    def _read(self, split: str, ranks: np.ndarray) -> tuple[Pictures | Texts, Tensor, Tensor]:
        """Images of these ranks in their order, with labels, int64 (n,), and keys, int64 (n,)."""
        import pyarrow as pa
        import pyarrow.compute as pc

        wanted, rows, truncated = pa.array(ranks), [], 0
        for batch in scan(self.files, split, ["rank", "label", "image_id", "image"]):
            found = batch.filter(pc.is_in(batch.column("rank"), value_set=wanted)).to_pydict()
            if isinstance(self.input, TextSpec):
                content, cut = self.input.tokens(found["image"])
                truncated += cut
            else:  # at once, because the file of a photograph is a thousand times larger than its pixels will be
                content = Pictures.of(found["image"], self.input.square, self.loader).content
            rows += zip(found["rank"], found["label"], found["image_id"], content, strict=True)
        rows.sort(key=lambda row: row[0])
        _, labels, ids, content = zip(*rows, strict=True) if rows else ((), (), (), ())
        if isinstance(self.input, TextSpec):
            kept = Texts(content, self.input, truncated)
        else:
            kept = Pictures(content, self.input.square, loading_processes(self.loader))
        return kept, torch.tensor(labels, dtype=torch.int64), image_keys(ids)


class Batches:
    """Passes over images in their order, batch by batch.

    Args:
        pictures: The images.
    """

    def __init__(self, pictures: Pictures | Texts) -> None:
        self._pictures = pictures

    def __iter__(self) -> Iterator[Tensor]:
        count, size = len(self._pictures), self._pictures.evaluated_at_once
        return self._pictures.batches([list(range(at, min(at + size, count))) for at in range(0, count, size)])


def write_start(checkpoint: Checkpoint, weights: dict[str, Tensor]) -> None:
    """Leaves the weights that the first phase begins with, where all workers find them."""
    with whole_files.writing(checkpoint.folder / _START) as partial_file:
        torch.save(weights, partial_file)


def first_weights(folder: str, number: int) -> dict[str, Tensor]:
    """The weights with which a phase begins: those of the start, and what the phases before it handed on."""
    weights = torch.load(Path(folder) / _START, map_location="cpu", weights_only=True)
    loaded = Checkpoint(folder).load()
    if loaded and loaded[0]["phase"] < number:
        weights |= loaded[0]["kept"]["weights"]
    return weights


def _prepared(spec: InputSpec | TextSpec, device: Device, images: Tensor) -> Tensor:
    """Moves pixels to a device, and makes them what a network takes."""
    return spec.prepare(device.take(images))
