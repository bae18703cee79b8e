"""Orca's Estimator on the run's own session: the driver's part of a training by BigDL."""

import io
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout

from cifar_pipelines.training.job import Job


def train(job: Job, workers: int, threads: int) -> None:
    """Trains; see `engines.Engine`."""
    from bigdl.dllib.nncontext import init_nncontext
    from bigdl.dllib.utils.common import JavaCreator
    from bigdl.orca.learn.pytorch import Estimator

    from cifar_pipelines.engines.bigdl import loop
    from cifar_pipelines.training.checkpoint import Checkpoint

    loaded = Checkpoint(job.checkpoint).load()
    done = loaded[0]["epoch"] if loaded and job.owns(loaded[0]) else 0
    # BigDL keeps the gateway of the first session of a process, which may have ended.
    JavaCreator.set_creator_class(JavaCreator.get_creator_class())
    with contained():
        # What init_orca_context calls; called here so that Spark's log is not moved to a file in this folder.
        init_nncontext(spark_log_level="ERROR", redirect_spark_log=False)
        estimator = Estimator.from_torch(
            model=loop.create_network,
            optimizer=loop.create_orca_optimizer,
            loss=None,
            metrics=None,
            config={"job": job},
            backend="spark",
            workers_per_node=1,
            log_to_driver=False,
            log_level=logging.WARNING,
        )
    if (estimator.num_workers, estimator.cores_per_worker) != (workers, threads):
        raise RuntimeError(
            f"Orca sees {estimator.num_workers} workers of {estimator.cores_per_worker} cores, but the setting "
            f"has {workers} of {threads}."
        )
    # Orca leaves unread what its tasks are given, for which Spark would end their Python workers, with all that they have imported.
    estimator.workerRDD = estimator.workerRDD.mapPartitions(_read)
    # PARALLEL(executors): one worker per executor trains its shard; gradients are averaged after every step.
    estimator.fit(
        data=loop.create_loader,
        epochs=job.epochs - done,
        batch_size=job.images_per_step,
        callbacks=[loop.RecipeCallback(job)],
    )


def _read(rows: Iterable[int]) -> Iterator[int]:
    """Reads all rows, and hands none on."""
    return iter(list(rows)[:0])


@contextmanager
def contained() -> Iterator[None]:
    """Keeps what BigDL prints and what it sets in the environment out of the rest of the run."""
    from cifar_pipelines.spark.session import active_session

    jvm = active_session().sparkContext._jvm
    system = jvm.java.lang.System
    printed = system.out
    system.setOut(jvm.java.io.PrintStream(jvm.java.io.OutputStream.nullOutputStream()))
    home = os.environ.get("PYTHONHOME")
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        system.setOut(printed)
        if home is None:
            # It names the virtual environment, which is no home: Python processes started later would not run.
            os.environ.pop("PYTHONHOME", None)
