"""Training by Spark's own TorchDistributor: one barrier task per worker, each of which starts torchrun."""

import logging
import sys

from cifar_pipelines.engines import Engine, register
from cifar_pipelines.training.job import Job


@register
class TorchDistributorEngine(Engine):
    """Workers by Spark, one per barrier task; the loop is ours. A worker that dies is started again by Spark, from the last checkpoint."""

    def check(self) -> None:
        """Nothing to check: it comes with Spark and torch."""

    def describe(self) -> str:
        """Name and version."""
        import pyspark

        return f"TorchDistributor (Spark {pyspark.__version__})"

    def train(self, job: Job, workers: int, threads: int) -> None:
        """Trains; see `engines.Engine`."""
        from pyspark.ml.torch.distributor import TorchDistributor

        # PARALLEL(executors): one worker per executor trains its shard; gradients are averaged after every step.
        distributor = TorchDistributor(num_processes=workers, local_mode=False, use_gpu=False)
        distributor.logger.setLevel(logging.WARNING)
        distributor.run(_train_on_cpu, job, threads)


def _train_on_cpu(job: Job, threads: int) -> None:
    """Trains in a process that torchrun started, without Triton.

    torch's compiler, which some networks import, imports that one for GPUs, and it ends a process with a page about what it leaves in memory.
    """
    from cifar_pipelines.training.process import train_in_process

    sys.modules.setdefault("triton", None)
    train_in_process(job, threads)
