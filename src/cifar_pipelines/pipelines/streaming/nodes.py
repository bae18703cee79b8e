"""Nodes of the streaming pipeline."""

import logging
import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.lazy_types import DataFrame, Figure, RecordBatch
from cifar_pipelines.common.tables import PREDICTIONS, judged_split
from cifar_pipelines.common.words import counted
from cifar_pipelines.datasets.learned_model import SavedLearner
from cifar_pipelines.incremental.learned import LearnedModel
from cifar_pipelines.learners import LearningTask
from cifar_pipelines.pipelines.streaming.findings import findings
from cifar_pipelines.pipelines.streaming.learning import Course
from cifar_pipelines.pipelines.streaming.specification import StreamSpec, stream_of
from cifar_pipelines.plots.of_stream import plot_models, plot_pace, plot_stream
from cifar_pipelines.records.model_report import FitReport, ModelReport, PredictionReport
from cifar_pipelines.spark.run_context import RunContext
from cifar_pipelines.streaming.journal import read_journal

logger = logging.getLogger(__name__)

FIRST_SEQUENCE = 1  # of the first frame that lands
OF_IMAGES = ("model", "label", "epoch", "prediction", "holdout_confusion")  # what of a block is no score


def configure_stream(block: dict[str, Any]) -> StreamSpec:
    """Checks the block `streaming` before any Spark process starts.

    Raises:
        UserError: If a value is wrong, or if no frame has landed and none will.
    """
    stream = stream_of(block)
    stream.learners()
    if stream.serve is None and not stream.addresses and not read_journal(stream.folder).producers:
        raise UserError(
            f"No frame has landed in {stream.folder}, and streaming.servers names no server to receive from. Start `kedro stream serve`, "
            "and name its address: --params streaming.servers=127.0.0.1:6100"
        )
    return stream


def plan_course(
    images: DataFrame, features: DataFrame, features_info: dict[str, Any], images_info: dict[str, Any], stream: StreamSpec,
    seed: int,
) -> Course:  # fmt: skip
    """Gathers what the learners need, with the features of the held-out images: the first by rank, which have all classes."""
    if features_info["images_fingerprint"] != images_info["fingerprint"]:
        raise UserError("The features are those of other images. Extract them again: kedro run --pipelines features")
    task = LearningTask(tuple(images_info["class_names"]), features_info["dimension"], seed)
    of_split = f"split = '{judged_split(images_info)}'"
    first = images.where(f"{of_split} and rank < {stream.holdout_images}").select("image_id", "rank")
    test = features.where(of_split).select("image_id", "label", "features")
    rows = test.join(first, "image_id").toPandas().sort_values("rank")
    holdout = (np.stack(rows["features"].to_numpy()), rows["label"].to_numpy(np.int64)) if len(rows) else None
    return Course(stream.learners(), task, stream.law, holdout, FIRST_SEQUENCE)


def keep(
    model: str, learned: dict[str, LearnedModel], rows: pd.DataFrame, reports: dict[str, FitReport]
) -> tuple[LearnedModel, pd.DataFrame, FitReport]:
    """Picks out one model: what it has learned, the scores of its blocks, and what it cost."""
    scores = rows.loc[rows["model"] == model].drop(columns=list(OF_IMAGES), errors="ignore")
    return learned[model], scores.reset_index(drop=True), reports[model]


def find(model: str, rows: pd.DataFrame, stream: StreamSpec) -> dict[str, Any]:
    """Sums up how one model did while it learned; see `findings`. What is not configured is as the server says of its stream."""
    found = findings(rows[rows["model"] == model], stream.expected(read_journal(stream.folder)))
    if (alarms := found["drift_alarms"]) is not None:
        logger.info("%s: drift after images %s.", model, ", ".join(map(str, alarms)) or "none")
    if forgotten := found["forgetting"]:
        logger.info(
            "%s: forgetting %.3f, backward transfer %.3f.",
            model,
            forgotten["forgetting"],
            forgotten["backward_transfer"],
        )
    return found


def predict(
    learner: SavedLearner, features: DataFrame, images_info: dict[str, Any], run_context: RunContext
) -> tuple[pd.DataFrame, PredictionReport]:
    """Predicts the images that models are judged on, on the executors, with the model as it was loaded back.

    Returns:
        The predictions table (`image_id`, `label`, `prediction`, `probability`), sorted by `image_id`, and what prediction cost.
    """
    from cifar_pipelines.spark.session import active_session
    from cifar_pipelines.spark.timing import measured_work

    session = active_session()
    shared = session.sparkContext.broadcast(learner.model)
    split = judged_split(images_info)
    test = features.where(f"split = '{split}'").select("image_id", "label", "features")
    test = test.repartition(run_context.cluster.cores).persist()
    if (count := test.count()) != images_info[f"{split}_size"]:
        raise UserError(
            f"The feature table holds {counted(count, 'image')} of the {split} split, but there are {images_info[f'{split}_size']}: an earlier extraction "
            "was cut short. Run it again: kedro run --pipelines features"
        )
    with measured_work(session, "Predicting", show_progress=False) as work:
        # PARALLEL(executors): every task predicts its partition of the test images.
        table = test.mapInArrow(lambda batches: _predict(batches, shared.value), PREDICTIONS.ddl).toPandas()
    test.unpersist()
    report = PredictionReport(
        predict_s=(round(work.wall_s, 3),),
        probability_source=f"the learner {learner.model.learner}",
        model_size_bytes=learner.size_bytes,
        model_path=os.path.relpath(learner.path),
    )
    return table.sort_values("image_id", ignore_index=True), report


def _predict(batches: Iterator[RecordBatch], model: LearnedModel) -> Iterator[RecordBatch]:
    from cifar_pipelines.incremental.one_thread import one_thread

    learner = model.build()
    for batch in batches:
        if batch.num_rows:
            x = np.stack(batch.column("features").to_numpy(zero_copy_only=False))
            with one_thread():
                probability = learner.predict(x)
            ids, labels = (batch.column(name) for name in ("image_id", "label"))
            yield PREDICTIONS.batch(ids, labels, probability.argmax(axis=1), list(probability.astype(np.float32)))


def draw_stream(history: pd.DataFrame, model_report: ModelReport) -> Figure:
    """Draws accuracy and loss over the stream."""
    return plot_stream(history, f"{model_report.model}: while it learned")


def draw_course(rows: pd.DataFrame, stream_log: pd.DataFrame) -> tuple[Figure, Figure]:
    """Draws how well all learners did side by side; and how late frames were learned, and how many waited."""
    return plot_models(rows), plot_pace(stream_log)


def _in_words(facts: dict[str, Any]) -> str:
    """What a producer sent, such as "16 frames (iid, digest 0123456789abcdef)"."""
    said = [*filter(None, [facts["scenario"]]), f"digest {facts['digest']}"]
    return f"{counted(facts['frames'], 'frame')} ({', '.join(said)})"


def describe(model: str, stream: StreamSpec, fit_report: FitReport, predict_report: PredictionReport) -> ModelReport:
    """Gathers what the run record says of this model."""
    import pyspark

    spec = stream.learners()[model]
    params = {
        "learner": spec.learner,
        **spec.options,
        **{f"law.{name}": value for name, value in asdict(stream.law).items()},
        **({"augmentation": stream.augmentations} if stream.augmentation else {}),
        **{f"stream.{name}": _in_words(facts) for name, facts in read_journal(stream.folder).facts().items()},
    }
    engine = f"Spark Structured Streaming {pyspark.__version__}, learners on {stream.engine}"
    return ModelReport(model, "streaming", engine, params, fit_report, predict_report, spec.justification)
