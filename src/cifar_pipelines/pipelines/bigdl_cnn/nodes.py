"""Nodes of the bigdl_cnn pipeline."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from cifar_pipelines.common.lazy_types import DataFrame, Figure
from cifar_pipelines.common.words import counted
from cifar_pipelines.engines import create_engine
from cifar_pipelines.networks import NetworkShape, try_network
from cifar_pipelines.pipelines.bigdl_cnn.specification import CnnSpec, check_sizes, specify_cnn
from cifar_pipelines.pipelines.training import (
    checked_configuration,
    clocked,
    curve_images,
    curve_split,
    fit_timings,
    going_on,
    require_all_classes,
    settled_precision,
    train_to_the_end,
)
from cifar_pipelines.plots.of_training import plot_learning_curves
from cifar_pipelines.records.model_report import FitReport
from cifar_pipelines.spark.run_context import RunContext
from cifar_pipelines.training.checkpoint import Checkpoint
from cifar_pipelines.training.job import TrainingJob
from cifar_pipelines.training.trained_network import TrainedNetwork

logger = logging.getLogger(__name__)

FAMILY = "bigdl_cnn"


def configure_cnn(
    network: str, engine: str, block: dict[str, Any], train_size: int, run_context: RunContext
) -> CnnSpec:
    """Checks everything that can be checked without images, before any Spark process starts."""
    spec = specify_cnn(network, engine, block)
    check_sizes(spec, train_size, run_context.setting.executors)
    try_network(network, NetworkShape(spec.image_size, classes=2), spec.options)
    return spec


def check_checkpoint(
    cnn: CnnSpec, checkpoints: Path, images_info: dict[str, Any], seed: int, run_context: RunContext
) -> dict[str, Any]:
    """Refuses an unfinished training with another configuration, before any Spark process starts.

    Returns:
        What the training depends on.
    """
    return checked_configuration(FAMILY, cnn, cnn.params(), checkpoints, images_info, seed, run_context)


def train_cnn(
    images: DataFrame,
    images_info: dict[str, Any],
    cnn: CnnSpec,
    training_configuration: dict[str, Any],
    checkpoints: Path,
    seed: int,
    run_context: RunContext,
) -> tuple[TrainedNetwork, pd.DataFrame, FitReport]:
    """Trains the network on the executors, one worker each; goes on from a checkpoint if there is one.

    Returns:
        The network; its history, one row per epoch; and what training cost.

    Raises:
        UserError: If a class has no training image, or the loss is not finite.
    """
    cluster = run_context.cluster
    require_all_classes(images, images_info["class_names"])
    check_sizes(cnn, images_info["train_size"], len(cluster.executors))
    engine = create_engine(cnn.engine)
    with going_on(FAMILY, cnn, training_configuration, checkpoints, run_context) as (checkpoint, resumed):
        job = _job(images, images_info, cnn, cluster.cores, seed, checkpoint)
        with clocked(cnn, checkpoint) as (timing, work):
            restarts = train_to_the_end(engine, job, checkpoint, run_context)
        state, history = checkpoint.load()
        workers = checkpoint.reports()
    report = FitReport.of(
        timing,
        fit_timings(history, resumed, work.wall_s, workers),
        sum(worker["cpu_s"] for worker in workers),
        workers=workers,
        history=history,
        precision=job.precision,
        validation_from=job.validation_from,
        restarts=restarts,
        resumed_after_epoch=resumed or None,
    )
    logger.info(
        "%s: %s in %.1f s, %.1f s of them outside of training and validation.",
        cnn.model, counted(len(history) - resumed, "epoch"), work.wall_s, report.timings.engine_overhead_s,
    )  # fmt: skip
    weights = state["average"] or state["network"]
    kept = training_configuration | {"precision": job.precision}
    names = tuple(images_info["class_names"])
    network = TrainedNetwork(cnn.network, cnn.options, job.shape, weights, names, kept)
    return network, pd.DataFrame(history), report


def _job(
    images: DataFrame, images_info: dict[str, Any], cnn: CnnSpec, cores: int, seed: int, checkpoint: Checkpoint
) -> TrainingJob:
    """The training, as plain data that travels to the workers."""
    validation_from, validation_images = curve_images(images_info, cnn.validation_images)
    precision = settled_precision(images.sparkSession, cnn.recipe.precision, cores)
    checkpoint.settle("bigdl_cnn", precision=precision)
    return TrainingJob(
        network=cnn.network,
        options=cnn.options,
        shape=NetworkShape(cnn.image_size, len(images_info["class_names"])),
        recipe=cnn.recipe,
        precision=precision,
        seed=seed,
        files=tuple(images.inputFiles()),
        train_images=images_info["train_size"],
        validation_from=validation_from,
        validation_images=validation_images,
        checkpoint=str(checkpoint.folder),
    )


def plot_history(history: pd.DataFrame, cnn: CnnSpec, images_info: dict[str, Any]) -> Figure:
    """Draws the learning curves."""
    return plot_learning_curves(history, f"{cnn.model}: learning curves", curve_split(images_info))
