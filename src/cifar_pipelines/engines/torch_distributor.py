"""Training by Spark's own TorchDistributor: one barrier task per worker, each of which starts torchrun."""

import logging
import time

from cifar_pipelines.engines import Engine, register
from cifar_pipelines.training.job import TrainingJob


@register
class TorchDistributorEngine(Engine):
    """Workers by Spark, one per barrier task; the loop is ours. A worker that dies is started again by Spark, from the last checkpoint."""

    def check(self) -> None:
        """Nothing to check: it comes with Spark and torch."""

    def describe(self) -> str:
        """Name and version."""
        import pyspark

        return f"TorchDistributor (Spark {pyspark.__version__})"

    def train(self, job: TrainingJob, workers: int, threads: int) -> None:
        """Trains; see `engines.Engine`."""
        from pyspark.ml.torch.distributor import TorchDistributor

        # PARALLEL(executors): one worker per executor trains its shard; gradients are averaged after every step.
        distributor = TorchDistributor(num_processes=workers, local_mode=False, use_gpu=False)
        distributor.logger.setLevel(logging.WARNING)
        distributor.run(train_worker, job, threads)


def train_worker(job: TrainingJob, threads: int) -> None:
    """What every process of torchrun does, with this many threads."""
    started = time.perf_counter()
    import torch
    import torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel

    from cifar_pipelines.training.recipe import create_optimizer
    from cifar_pipelines.training.worker import TrainingWorker, require_network_card

    torch.set_num_threads(threads)
    require_network_card(job)
    dist.init_process_group("gloo")
    try:
        network = job.build_network()
        optimizer = create_optimizer(network, job.recipe)
        worker = TrainingWorker(job, network, optimizer, DistributedDataParallel(network), started)
        while not worker.done:
            for images, labels in worker.trainer.begin_epoch():
                worker.trainer.backward(worker.forward(images, labels))
            worker.end_epoch()
    finally:
        dist.destroy_process_group()
