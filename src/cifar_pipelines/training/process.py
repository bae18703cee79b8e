"""One process that trains as a member of a group, whatever started it: torchrun, an engine of this host, or a run itself."""

import time
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from cifar_pipelines.training.checkpoint import Checkpoint
from cifar_pipelines.training.device import device_of
from cifar_pipelines.training.job import Job
from cifar_pipelines.training.worker import TrainingWorker, leave_reason, require_network_card


def train_in_process(job: Job, threads: int, **group: Any) -> None:
    """Trains until the last epoch of a job is done.

    Args:
        job: The training.
        threads: Threads of torch.
        **group: Store, rank and size of the group; without them, those of the environment, as torchrun sets them.
    """
    started = time.perf_counter()
    torch.set_num_threads(threads)
    require_network_card(job)
    device = device_of(job.on_gpu)
    dist.init_process_group(device.backend, **group)
    try:
        _train(job, DistributedDataParallel, started)
    except Exception as error:
        # Whoever started this would print the traceback of every worker; the driver says what was left instead.
        if not leave_reason(Checkpoint(job.checkpoint), error):
            raise
    finally:
        dist.destroy_process_group()


def train_alone(job: Job, threads: int) -> None:
    """Trains in this process, which is a group of its own; for what is too small for an engine."""
    started, before = time.perf_counter(), torch.get_num_threads()
    torch.set_num_threads(threads)
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        _train(job, lambda network: network, started)
    finally:
        dist.destroy_process_group()
        torch.set_num_threads(before)


def _train(job: Job, wrap: Callable[[torch.nn.Module], torch.nn.Module], started: float) -> None:
    network = job.build_network()
    worker = TrainingWorker(job, network, job.create_optimizer(network), wrap(network), started)
    while not worker.done:
        for inputs, targets in worker.trainer.begin_epoch():
            worker.trainer.backward(worker.forward(inputs, targets))
        worker.end_epoch()
