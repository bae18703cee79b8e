"""Nodes of the transfer pipeline."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from cifar_pipelines.backbones import load_weights
from cifar_pipelines.common.lazy_types import DataFrame, Figure
from cifar_pipelines.engines import create_engine
from cifar_pipelines.judging.fit import FAILED, judge_fit
from cifar_pipelines.pipelines.training import (
    chance_in,
    checked_configuration,
    clocked,
    curve_images,
    curve_split,
    going_on,
    require_all_classes,
)
from cifar_pipelines.pipelines.transfer.memory import room_for_features
from cifar_pipelines.pipelines.transfer.specification import (
    TransferSpec,
    check_sizes,
    require_validation,
    specify_transfer,
)
from cifar_pipelines.pipelines.transfer.training import Transfer
from cifar_pipelines.plots.of_training import plot_learning_curves
from cifar_pipelines.records.model_report import FitReport
from cifar_pipelines.spark.run_context import RunContext
from cifar_pipelines.training.transferred_network import TransferredNetwork

logger = logging.getLogger(__name__)

FAMILY = "transfer"


def configure_transfer(
    name: str, engine: str, block: dict[str, Any], train_size: int, run_context: RunContext
) -> TransferSpec:
    """Checks everything that can be checked without images, before any Spark process starts."""
    spec = specify_transfer(name, engine, block)
    check_sizes(spec, train_size, run_context.setting.executors)
    return spec


def check_checkpoint(
    transfer: TransferSpec, checkpoints: Path, images_info: dict[str, Any], seed: int, run_context: RunContext
) -> dict[str, Any]:
    """Refuses an unfinished training with another configuration, and stored features without room, before any Spark process starts.

    Returns:
        What the training depends on.
    """
    _, validated = curve_images(images_info, transfer.validation_images)
    if needed := room_for_features(transfer, images_info["train_size"] + validated):
        logger.info("%s: stored features take %s MiB of memory.", transfer.model, f"{needed:,}")
    require_validation(transfer, curve_split(images_info) == "validation")
    weights = load_weights(transfer.backbone, transfer.wanted.weights)
    params = transfer.params(weights)
    return checked_configuration(FAMILY, transfer, params, checkpoints, images_info, seed, run_context)


def train_transfer(
    images: DataFrame,
    images_info: dict[str, Any],
    transfer: TransferSpec,
    training_configuration: dict[str, Any],
    checkpoints: Path,
    stored_features: Path,
    seed: int,
    run_context: RunContext,
) -> tuple[TransferredNetwork, pd.DataFrame, FitReport]:
    """Trains the network phase by phase; goes on from a checkpoint if there is one.

    Returns:
        The network; its history, one row per epoch; and what training cost.

    Raises:
        UserError: If a class has no training image, memory would not suffice, or the loss is not finite.
    """
    require_all_classes(images, images_info["class_names"])
    check_sizes(transfer, images_info["train_size"], len(run_context.cluster.executors))
    create_engine(transfer.engine).check()
    with going_on(FAMILY, transfer, training_configuration, checkpoints, run_context) as (checkpoint, resumed):
        training = Transfer(transfer, images, images_info, checkpoint, stored_features, seed, run_context)
        with clocked(transfer, checkpoint) as (timing, work):
            training.run()
        state, history = checkpoint.load()
        report = training.report(timing, work.wall_s, resumed)
        weights = training.weights_of(state)
    names = tuple(images_info["class_names"])
    _say_of_guessing(transfer, report, training.validation[1], chance_in(images, training.validation[0]), seed)
    kept = training_configuration | {"precision": training.precision}
    network = TransferredNetwork(transfer.wanted.backbone, transfer.input, weights, names, kept)
    return network, pd.DataFrame(history), report


def _say_of_guessing(transfer: TransferSpec, report: FitReport, validated: int, chance: float, seed: int) -> None:
    """Says that a training failed which is no better than guessing at its end: encoders of texts may, by their seed."""
    last = [row for row in report.history if row.phase == report.history[-1].phase]
    verdict = judge_fit(last, validated, chance)
    if verdict.word == FAILED:
        logger.warning(
            "%s failed with seed %d. %s Give another seed, a warm-up, clip: 1.0 or a lower learning rate.",
            transfer.model, seed, verdict.reason,
        )  # fmt: skip


def plot_history(history: pd.DataFrame, transfer: TransferSpec, images_info: dict[str, Any]) -> Figure:
    """Draws the learning curves, with the phases marked."""
    words = [phase.words for phase in transfer.phases]
    return plot_learning_curves(history, f"{transfer.model}: learning curves", curve_split(images_info), words)
