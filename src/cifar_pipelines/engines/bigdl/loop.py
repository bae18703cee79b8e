"""The part of a training that Orca calls on every worker: creators, and the callback that puts the recipe into its loop.

Importable by name, because Orca pickles functions; imports BigDL, so that only the engine imports it, when it trains.
"""

import time
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from bigdl.orca.learn.pytorch.callbacks import MainCallback
from torch import Tensor, nn, optim

from cifar_pipelines.training.checkpoint import Checkpoint
from cifar_pipelines.training.worker import TrainingWorker, require_network_card


def create_network(config: dict[str, Any]) -> nn.Module:
    """Orca's model creator; it also runs on the driver.

    Raises:
        RuntimeError: If Spark repeats a stage. Orca's workers meet at a store that remembers the dead ones, so a
            repeated stage would wait for them for half an hour; the driver starts a new one instead.
    """
    from pyspark import TaskContext

    context, job = TaskContext.get(), config["job"]
    start = [job.attempt, *job.facts().values(), context and context.partitionId()]
    if context is not None and not Checkpoint(job.checkpoint).first_start("-".join(map(str, start))):
        raise RuntimeError("A worker of Orca was lost. The training starts again from its checkpoint.")
    if context is not None:
        require_network_card(job)  # the workers meet next
    return job.build_network()


def create_orca_optimizer(network: nn.Module, config: dict[str, Any]) -> optim.Optimizer:
    """Orca's optimizer creator."""
    return config["job"].create_optimizer(network)


class EpochLoader:
    """Orca's data loader: every pass over it is one epoch of the trainer's batches."""

    def __init__(self) -> None:
        self.worker: TrainingWorker | None = None

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        # Orca does all epochs that it was told of; those after an early end have no batches.
        return iter(()) if self.worker.done else self.worker.trainer.begin_epoch()


def create_loader(config: dict[str, Any], batch_size: int) -> EpochLoader:
    """Orca's data creator; the images are read when the worker is set up, and timed there."""
    return EpochLoader()


class RecipeCallback(MainCallback):
    """Computes loss and step by our recipe, and ends every epoch with validation and checkpoint."""

    def __init__(self, job: Any) -> None:
        self.job = job
        self.worker: TrainingWorker | None = None

    def before_run(self, runner: Any) -> None:
        """Sets up the worker; Orca has created and wrapped the network by now."""
        runner._mode = "train"  # or runner.model would be the bare network
        self.worker = TrainingWorker(
            self.job, runner.models[0], runner.optimizers[0], runner.model, time.perf_counter(), time.process_time()
        )  # Spark's Python worker has done other tasks before
        runner.train_loader.worker = self.worker

    def on_train_forward(self, runner: Any) -> None:
        """Computes the loss."""
        runner.loss = self.worker.forward(*runner.batch)

    def on_iter_backward(self, runner: Any) -> None:
        """Takes a step."""
        self.worker.trainer.backward(runner.loss)

    def on_lr_adjust(self, runner: Any) -> None:
        """Does nothing: the learning rate changes with every step."""

    def after_train_epoch(self, runner: Any) -> None:
        """Validates and keeps the checkpoint."""
        if not self.worker.done:
            self.worker.end_epoch()

    def after_run(self, runner: Any) -> None:
        """Leaves Spark's Python worker as it was, since it goes on with other tasks, which have one core each."""
        dist.destroy_process_group()
        torch.set_num_threads(1)
