"""One worker of a training, from its shard to its report; an engine calls it at the right moments."""

import math
import os
import re
import socket
import time
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from cifar_pipelines.common.own_code import told
from cifar_pipelines.training.checkpoint import Checkpoint
from cifar_pipelines.training.device import called, card_memory_mb
from cifar_pipelines.training.job import Job
from cifar_pipelines.training.trainer import NotFiniteError

GLOO_CARD = "GLOO_SOCKET_IFNAME"
SAY_S = 30.0  # between two looks at an epoch that lasts longer
# How gloo and nccl say that another worker is gone, which happens while a network runs too.
_LOST_WORKER = re.compile("gloo|nccl|connection|broken pipe|timed? ?out", re.IGNORECASE)


def require_network_card(job: Job) -> None:
    """Ends the training for good if the card by which workers shall meet is not in this host."""
    wanted, cards = os.environ.get(GLOO_CARD), [card for _, card in socket.if_nameindex()]
    if wanted and (missing := [name for name in wanted.split(",") if name not in cards]):
        reason = (
            f"{GLOO_CARD} names the network card {missing[0]!r}, which {os.uname().nodename} does not have; it has "
            f"{', '.join(cards)}. Unset it where the Worker starts, or name one of those."
        )
        Checkpoint(job.checkpoint).fail(reason)
        raise RuntimeError(reason)


def leave_reason(checkpoint: Checkpoint, error: Exception) -> bool:
    """Leaves an error in code as the reason why training cannot go on; a worker that was lost is none, and may come back.

    Returns:
        Whether there is a reason now.
    """
    lost = isinstance(error, dist.DistError | ConnectionError) or _LOST_WORKER.search(str(error))
    if checkpoint.failure() is None and not lost:
        checkpoint.fail(told(error))
    return checkpoint.failure() is not None


class TrainingWorker:
    """Holds a trainer, keeps its checkpoint, and adds up over all workers what the history shows.

    Args:
        job: The training.
        network: The bare network, as `job.build_network` made it.
        optimizer: Its optimizer.
        model: The network wrapped by DistributedDataParallel.
        started: When this worker began, in seconds of `time.perf_counter`.
    """

    def __init__(
        self,
        job: Job,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        model: nn.Module,
        started: float,
        cpu_before: float = 0.0,
    ) -> None:
        self.job, self._cpu_before = job, cpu_before
        self.rank, self.workers = dist.get_rank(), dist.get_world_size()
        self.checkpoint = Checkpoint(job.checkpoint)
        if reason := self.checkpoint.failure():
            raise RuntimeError(reason)
        self.history: list[dict[str, float]] = []
        # By the clock of the day: from start and end of the task, Spark's log tells what the engine took around them.
        self._began_at = time.time() - (time.perf_counter() - started)
        self._seconds = {"start": time.perf_counter() - started, "validate": 0.0, "checkpoint": 0.0}
        before = time.perf_counter()
        self.trainer = job.create_trainer(network, optimizer, model, self.rank, self.workers)
        self.validation = job.read_validation(self.rank, self.workers)
        self._seconds["read"] = time.perf_counter() - before
        self._begin()
        self._said_at = time.perf_counter()
        self.checkpoint.report(self.rank, self._facts())  # the only one if no epoch is left

    def _begin(self) -> None:
        """Goes on from the last checkpoint; else lets the network look at data, on rank 0, for all."""
        loaded = self.checkpoint.load()
        if loaded:
            state, self.history = loaded
            if self.job.owns(state):
                self.trainer.load_state(state)
                return
        if self.rank == 0:
            self.trainer.initialise()
        with torch.no_grad():
            for tensor in (*self.trainer.network.parameters(), *self.trainer.network.buffers()):
                dist.broadcast(tensor, 0)

    @property
    def done(self) -> bool:
        """Whether all epochs are done, or further ones would gain nothing."""
        return self.trainer.epoch >= self.job.epochs or self.job.has_stopped(self.history)

    @property
    def _device(self) -> torch.device:
        """Where the network is, of which nccl wants what it adds up."""
        return next(self.trainer.network.parameters()).device

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The loss of a batch; one that is not finite, or an error in the code of the network, ends the training for good."""
        try:
            loss = self.trainer.forward(images, labels)
        except NotFiniteError as error:
            self.checkpoint.fail(str(error))
            raise
        except Exception as error:
            leave_reason(self.checkpoint, error)
            raise
        if self.rank == 0 and time.perf_counter() - self._said_at > SAY_S:
            self._said_at = time.perf_counter()
            self.checkpoint.say({"epoch": len(self.history) + 1} | self.trainer.so_far())
        return loss

    def end_epoch(self) -> None:
        """Validates, adds up over workers, and keeps checkpoint, history and this worker's report."""
        mine = self.trainer.end_epoch()
        before = time.perf_counter()
        for (
            buffer
        ) in self.trainer.buffers():  # running statistics differ until the next step, and their averages for ever
            dist.broadcast(buffer, 0)
        judged = self.trainer.evaluate(self.validation)
        sums = _sum_over_workers([mine["loss"], mine["correct"], mine["images"], *judged.values()], self._device)
        validated = time.perf_counter()
        loss, correct, count, validation_loss, validation_correct, validation_count = sums
        self.history.append(
            {
                "epoch": len(self.history) + 1,
                "loss": loss / count,
                "accuracy": None if math.isnan(correct) else correct / count,
                "validation_loss": validation_loss / max(validation_count, 1),
                "validation_accuracy": validation_correct / max(validation_count, 1),
                "learning_rate": self.trainer.learning_rate,
                "seconds": mine["seconds"],
                "validation_seconds": validated - before,
                "images_per_s": count / mine["seconds"],
                **self.job.facts(),
            }
        )
        self.trainer.judged(self.history[-1])
        if self.rank == 0:
            self.checkpoint.save(self.trainer.state(), self.history)
        self._seconds["validate"] += validated - before
        self._seconds["checkpoint"] += time.perf_counter() - validated
        self._said_at = time.perf_counter()
        self.checkpoint.report(self.rank, self._facts())

    def _facts(self) -> dict[str, Any]:
        import resource

        usage = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "rank": self.rank,
            "host": os.uname().nodename,
            "pid": os.getpid(),
            "device": called(self._device),
            "threads": torch.get_num_threads(),
            "batch_size": self.trainer.batch_size,
            "images": len(self.trainer.shard.images),
            "truncated": getattr(self.trainer.shard.images, "truncated", None),
            "precision": self.job.precision,
            "cpu_s": round(time.process_time() - self._cpu_before, 3),
            "peak_memory_mb": round(usage.ru_maxrss / 1024, 1),
            "card_memory_mb": card_memory_mb(self._device),
            "began_at": round(self._began_at, 3),
            "ended_at": round(time.time(), 3),
            **{f"{name}_s": round(value, 3) for name, value in self._seconds.items()},
        }


def _sum_over_workers(values: list[float], device: torch.device) -> list[float]:
    total = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(total)
    return total.tolist()
