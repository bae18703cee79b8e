"""Nodes that predict on the executors with a network, for the families that train some."""

import os
import time
import uuid
from functools import partial
from typing import Any, Protocol

import pandas as pd

from cifar_pipelines.common.contents import content_of
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.lazy_types import DataFrame
from cifar_pipelines.common.params import command_to_run
from cifar_pipelines.common.tables import PREDICTIONS, judged_split
from cifar_pipelines.common.words import counted
from cifar_pipelines.datasets.trained_network import SavedNetwork
from cifar_pipelines.pipelines.further_predictions import further_splits, further_tables, no_further, rows_of_splits
from cifar_pipelines.pipelines.large_images import shrunk, spread
from cifar_pipelines.records.model_report import PredictionReport
from cifar_pipelines.spark.python_tasks import on_every_core
from cifar_pipelines.spark.run_context import RunContext
from cifar_pipelines.training.prediction import PredictionJob, network_of, predict_batches, time_prediction
from cifar_pipelines.training.prediction_views import PredictionViews
from cifar_pipelines.training.trained_network import TrainedNetwork
from cifar_pipelines.training.transferred_network import TransferredNetwork

COLUMNS = ("image_id", "label", "image")


class Specification(Protocol):
    """What a family specifies of a network, as far as its predictions go."""

    @property
    def model(self) -> str:
        """Name of the model in records and paths."""

    @property
    def prediction_views(self) -> PredictionViews:
        """Over which views of an image its predictions are averaged."""


def predict_judged(
    network: SavedNetwork, images: DataFrame, images_info: dict[str, Any], spec: Specification, run_context: RunContext
) -> tuple[pd.DataFrame, PredictionReport]:
    """Predicts the images that models are judged on, on the executors, with the network as it was loaded back.

    Images are cached and the Python workers are warm before the clock starts.

    Returns:
        The predictions table (`image_id`, `label`, `prediction`, `probability`), sorted by `image_id`, and what
        prediction cost.
    """
    from cifar_pipelines.spark.session import active_session
    from cifar_pipelines.spark.timing import measured_work

    session, cores, split = active_session(), run_context.cluster.cores, judged_split(images_info)
    job = prediction_job(network.network, spec.prediction_views)
    started = time.perf_counter()
    # PARALLEL(executors): every task predicts its partition of the test images.
    test = spread(rows_of_splits(images, [split]), COLUMNS, images_info, network.network.input.square, cores)
    test.count()
    # PARALLEL(executors): one task per core, so that no worker loads the network inside the timed prediction.
    on_every_core(session, cores, lambda: bool(job.network()))
    (latency,) = on_every_core(session, 1, partial(time_prediction, job))
    preparing_s = time.perf_counter() - started
    said = counted(images_info[f"{split}_size"], f"{split} {content_of(images_info).noun}")
    with measured_work(session, f"Predicting {said} with {spec.model}") as work:
        table = _predicted(test, job)
    test.unpersist()
    if len(table) != images_info[f"{split}_size"]:
        raise UserError(
            f"The image table holds {len(table)} {split} images, but its description says {images_info[f'{split}_size']}. "
            f"Make them again: {command_to_run('ingestion')}"
        )
    report = PredictionReport(
        predict_s=(round(work.wall_s, 3),),
        probability_source="softmax of the logits",
        model_size_bytes=network.size_bytes,
        parameter_count=network.network.parameter_count,
        model_path=os.path.relpath(network.path),
        prepare_s=round(preparing_s, 3),
        latency=latency,
    )
    return table.sort_values("image_id", ignore_index=True), report


def predict_further(
    network: SavedNetwork, images: DataFrame, images_info: dict[str, Any], spec: Specification, run_context: RunContext
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predicts all other images that were not learned from; see `further_tables`."""
    from cifar_pipelines.spark.session import active_session
    from cifar_pipelines.spark.timing import measured_work

    if not (splits := further_splits(images_info)):
        return no_further()
    small = shrunk(rows_of_splits(images, splits), COLUMNS, images_info, network.network.input.square)
    rows = small.repartition(run_context.cluster.cores)
    # PARALLEL(executors): every task predicts its partition of the validation images and of those without labels.
    said = counted(sum(images_info[f"{split}_size"] for split in splits), f"further {content_of(images_info).noun}")
    with measured_work(active_session(), f"Predicting {said} with {spec.model}"):
        table = _predicted(rows, prediction_job(network.network, spec.prediction_views))
    return further_tables(table, images, images_info)


def prediction_job(trained: TrainedNetwork | TransferredNetwork, views: PredictionViews) -> PredictionJob:
    """What the workers need; the network goes to every executor once."""
    from cifar_pipelines.spark.session import active_session

    broadcast = active_session().sparkContext.broadcast(trained.as_dict())
    return PredictionJob(
        key=uuid.uuid4().hex,
        load_network=partial(network_of, broadcast),
        size=trained.input.size,
        precision=trained.training["precision"],
        views=views,
        input=trained.input if isinstance(trained, TransferredNetwork) else None,
    )


def _predicted(images: DataFrame, job: PredictionJob) -> pd.DataFrame:
    return images.mapInArrow(lambda batches: predict_batches(batches, job), PREDICTIONS.ddl).toPandas()
