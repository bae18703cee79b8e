"""Nodes of the streaming pipeline."""

import logging
import os
import uuid
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.lazy_types import DataFrame, Figure, RecordBatch, SparkSession
from cifar_pipelines.common.tables import PREDICTIONS, judged_split
from cifar_pipelines.common.words import counted
from cifar_pipelines.datasets.learned_model import SavedLearner
from cifar_pipelines.incremental.commit import Commits, digest
from cifar_pipelines.incremental.learned import LearnedModel
from cifar_pipelines.learners import LearningTask
from cifar_pipelines.pipelines.features.nodes import FeaturesSpec, create_checked_extractor
from cifar_pipelines.pipelines.features.worker import ExtractionJob
from cifar_pipelines.pipelines.streaming.findings import findings
from cifar_pipelines.pipelines.streaming.frame_features import features_of_frames
from cifar_pipelines.pipelines.streaming.learning import Course, DriverEngine, ExecutorsEngine, MicroBatches
from cifar_pipelines.pipelines.streaming.query import put_in_place, run_query, set_aside
from cifar_pipelines.pipelines.streaming.specification import StreamSpec, stream_of
from cifar_pipelines.plots.of_stream import plot_stream
from cifar_pipelines.records.model_report import FitReport, ModelReport, PredictionReport
from cifar_pipelines.records.parts import Timings
from cifar_pipelines.spark.run_context import RunContext
from cifar_pipelines.streaming.journal import commit as mark_learned
from cifar_pipelines.streaming.journal import read_journal

logger = logging.getLogger(__name__)

FIRST_SEQUENCE = 1  # of the first frame that lands
# What of a feature table's description decides what a learner learns from.
FEATURES = ("extractor", "weights", "input_size", "options", "precision", "micro_batch", "dimension")


def configure_stream(block: dict[str, Any]) -> StreamSpec:
    """Checks the block `streaming` before any Spark process starts.

    Raises:
        UserError: If a value is wrong, or if no frame has landed and none will.
    """
    stream = stream_of(block)
    stream.learners()
    if not stream.addresses and not read_journal(stream.folder).producers:
        raise UserError(
            f"No frame has landed in {stream.folder}, and streaming.servers names no server to receive from. Start `kedro stream serve`, "
            "and name its address: --params streaming.servers=127.0.0.1:6100"
        )
    return stream


def plan_course(
    features: DataFrame, features_info: dict[str, Any], images_info: dict[str, Any], stream: StreamSpec, seed: int
) -> Course:
    """Gathers what the learners need, with the features of the held-out images."""
    if features_info["images_fingerprint"] != images_info["fingerprint"]:
        raise UserError("The features are those of other images. Extract them again: kedro run --pipelines features")
    task = LearningTask(tuple(images_info["class_names"]), features_info["dimension"], seed)
    test = features.where(f"split = '{judged_split(images_info)}'").select("image_id", "label", "features")
    rows = test.orderBy("image_id").limit(stream.holdout_images).toPandas()
    holdout = (np.stack(rows["features"].to_numpy()), rows["label"].to_numpy(np.int64)) if len(rows) else None
    return Course(stream.learners(), task, stream.law, holdout, FIRST_SEQUENCE)


def learn(
    course: Course,
    stream: StreamSpec,
    features_info: dict[str, Any],
    extractor_state: dict[str, Any],
    features_spec: FeaturesSpec,
    commits: Path,
    run_context: RunContext,
) -> tuple[dict[str, LearnedModel], pd.DataFrame, dict[str, FitReport]]:
    """Lets all learners learn from the stream until it has ended.

    What is committed when a run ends before that is where the next one goes on.

    Returns:
        What was learned, by model; a row for every block and model; and what it cost, by model.

    Raises:
        UserError: If frames are missing, another run learns here, or what was committed was learned otherwise.
    """
    from filelock import FileLock, Timeout

    from cifar_pipelines.spark.session import active_session
    from cifar_pipelines.spark.timing import timed

    commits.mkdir(parents=True, exist_ok=True)
    features = {key: features_info[key] for key in FEATURES}
    kept = Commits(commits, _identity(course, stream, features, extractor_state))
    lock = FileLock(commits / "lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise UserError(f"Another run learns in {commits}. Wait until it has ended, or stop it.") from None
    with lock:
        session = active_session()
        job = _job(session, features_spec, features_info, extractor_state)
        micro_batches = _begin(session, course, stream, kept, job, run_context.cluster.cores)
        first, log = micro_batches.next_sequence, Path(run_context.cluster.log_dir) / "receiver.log"
        with timed(session, "Learning from the stream", show_progress=False) as timing, timing.repeat() as work:
            work.group = run_query(session, stream, micro_batches, log)
        states, last_rows = micro_batches.finish()
        rows = pd.concat([kept.rows(micro_batches.next_sequence), last_rows], ignore_index=True)
        kept.forget()
    _require_images(rows, stream)
    _say_what_it_cost(micro_batches, first, work.wall_s)
    learned = {
        model: LearnedModel(spec.learner, spec.options, course.task, features, _of_learner(states[model]))
        for model, spec in course.learners.items()
    }
    parts = Timings(extract_s=(round(micro_batches.extract_s, 3),), engine_overhead_s=round(micro_batches.commit_s, 3))
    seconds = rows.groupby("model")["seconds"].sum()
    reports = {
        model: FitReport.of(timing, replace(parts, fit_s=(round(float(seconds[model]), 3),))) for model in learned
    }
    return learned, rows, reports


def _begin(
    session: SparkSession, course: Course, stream: StreamSpec, commits: Commits, job: ExtractionJob, cores: int
) -> MicroBatches:
    """Goes on from the newest commit, or begins anew."""
    if not stream.resume:
        commits.forget()
    commit = commits.latest()
    next_sequence = commit.next_sequence if commit else FIRST_SEQUENCE
    commits.rows(next_sequence)
    if commit:
        logger.info("Going on after frame %d, up to which an earlier run has committed.", next_sequence - 1)
    put_in_place(stream.folder, next_sequence)
    engine = DriverEngine(course, commit) if stream.engine == "driver" else ExecutorsEngine(session, course, commits)
    reached = [next_sequence]

    def committed(sequence: int) -> None:
        mark_learned(stream.folder, sequence)
        set_aside(stream.folder, reached[0], sequence)
        reached[0] = sequence + 1

    extract = partial(
        features_of_frames, job=job, cores=cores, dimension=course.task.dimension, on_bad_image=stream.on_bad_image
    )
    return MicroBatches(engine, commits, extract, committed, next_sequence)


def _identity(
    course: Course, stream: StreamSpec, features: dict[str, Any], extractor_state: dict[str, Any]
) -> dict[str, Any]:
    """What a commit depends on."""
    return {
        "models": {
            model: {"learner": spec.learner, "options": spec.options} for model, spec in course.learners.items()
        },
        "classes": list(course.task.classes),
        "seed": course.task.seed,
        "features": features | {"extractor_state": digest(extractor_state)},
        "law": asdict(stream.law),
        "landing": stream.landing,
    }


def _job(
    session: SparkSession, spec: FeaturesSpec, features_info: dict[str, Any], extractor_state: dict[str, Any]
) -> ExtractionJob:
    """The extraction that gave the feature table, of the test images too."""
    broadcast = session.sparkContext.broadcast(extractor_state)
    load = partial(getattr, broadcast, "value")
    extractor = create_checked_extractor(spec)
    return ExtractionJob(uuid.uuid4().hex, extractor, load, features_info["precision"], features_info["micro_batch"])


def _of_learner(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The part of a training's state that is the learner's."""
    return {name.removeprefix("learner."): array for name, array in state.items() if name.startswith("learner.")}


def _require_images(rows: pd.DataFrame, stream: StreamSpec) -> None:
    if rows.empty:
        raise UserError(f"The stream in {stream.folder} has ended without an image. Serve images, then run again.")


def _say_what_it_cost(micro_batches: MicroBatches, first: int, wall_s: float) -> None:
    logger.info(
        "Frames %d to %d, %d images in %.1f s: features %.1f s, learning %.1f s, commits %.1f s.",
        first, micro_batches.next_sequence - 1, micro_batches.images, wall_s, micro_batches.extract_s, micro_batches.learn_s,
        micro_batches.commit_s,
    )  # fmt: skip


def keep(
    model: str, learned: dict[str, LearnedModel], rows: pd.DataFrame, reports: dict[str, FitReport]
) -> tuple[LearnedModel, pd.DataFrame, FitReport]:
    """Picks out one model: what it has learned, the scores of its blocks, and what it cost."""
    scores = rows.loc[rows["model"] == model].drop(columns=["model", "label", "prediction", "holdout_confusion"])
    return learned[model], scores.reset_index(drop=True), reports[model]


def find(model: str, rows: pd.DataFrame, stream: StreamSpec) -> dict[str, Any]:
    """Sums up how one model did while it learned; see `findings`."""
    found = findings(rows[rows["model"] == model], stream.drift_delta, stream.classes_per_phase)
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


def describe(model: str, stream: StreamSpec, fit_report: FitReport, predict_report: PredictionReport) -> ModelReport:
    """Gathers what the run record says of this model."""
    import pyspark

    spec = stream.learners()[model]
    params = {
        "learner": spec.learner,
        **spec.options,
        **{f"law.{name}": value for name, value in asdict(stream.law).items()},
    }
    engine = f"Spark Structured Streaming {pyspark.__version__}, learners on {stream.engine}"
    return ModelReport(model, "streaming", engine, params, fit_report, predict_report, spec.justification)
