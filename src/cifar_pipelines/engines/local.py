"""Training by processes of this host alone, without Spark's executors: for a machine with GPUs."""

import multiprocessing
import os
import sys
import threading
import uuid
from importlib.metadata import version
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from cifar_pipelines.engines import Engine, register
from cifar_pipelines.training.job import Job

PATIENCE_S = 10.0


@register
class LocalEngine(Engine):
    """Workers as processes of this host, one per executor of the setting or one per card; the loop is ours."""

    def check(self) -> None:
        """Nothing to check: it needs torch alone."""

    def describe(self) -> str:
        """Name and version."""
        return f"processes of one host (torch {version('torch')})"

    def train(self, job: Job, workers: int, threads: int) -> None:
        """Trains; see `engines.Engine`.

        Raises:
            RuntimeError: If a worker ends before its time; the others are ended with it.
        """
        context = multiprocessing.get_context("spawn")
        # A file of its own for every attempt: a store remembers the workers that met at it.
        store = Path(job.checkpoint) / f"started-store-{uuid.uuid4().hex}"
        processes = [
            # PARALLEL(processes of this host): every worker trains its shard; gradients are averaged after every step.
            context.Process(target=_work, args=(job, threads, str(store), rank, workers), name=f"worker {rank}")
            for rank in range(workers)
        ]
        try:
            for process in processes:
                process.start()
            _await_all(processes)
        finally:
            for process in processes:
                _end(process)


def _await_all(processes: list[SpawnProcess]) -> None:
    """Waits until all have ended well; raises at the first that has not."""
    running = list(processes)
    while running:
        wait([process.sentinel for process in running])
        for process in [process for process in running if not process.is_alive()]:
            running.remove(process)
            if process.exitcode:
                raise RuntimeError(
                    f"The {process.name} of {len(processes)} ended with the exit code {process.exitcode}."
                )


def _end(process: SpawnProcess) -> None:
    if process.pid is None:
        return
    if process.is_alive():
        process.terminate()
        process.join(PATIENCE_S)
    if process.is_alive():
        process.kill()
    process.join()
    process.close()


def _work(job: Job, threads: int, store: str, rank: int, workers: int) -> None:
    """What every process does."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import torch.distributed as dist

    from cifar_pipelines.training.process import train_in_process

    os.environ["LOCAL_RANK"] = str(rank)
    try:
        train_in_process(job, threads, store=dist.FileStore(store, workers), rank=rank, world_size=workers)
    except (RuntimeError, FloatingPointError) as error:  # a traceback of every worker would hide what the driver says
        sys.exit(f"{multiprocessing.current_process().name}: {str(error).splitlines()[0]}")


def _end_with_parent() -> None:
    """Ends this process when the one that started it is gone, however that ended."""
    multiprocessing.parent_process().join()
    os._exit(1)
