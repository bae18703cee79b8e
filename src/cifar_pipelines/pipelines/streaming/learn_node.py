"""The node in which all learners learn from the stream until it has ended."""

import hashlib
import json
import logging
import uuid
from contextlib import nullcontext
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.lazy_types import DataFrame, SparkSession
from cifar_pipelines.common.locks import alone
from cifar_pipelines.common.words import counted
from cifar_pipelines.incremental.commit import Commits
from cifar_pipelines.incremental.feature_cache import FeatureCache
from cifar_pipelines.incremental.learned import LearnedModel
from cifar_pipelines.incremental.states import digest
from cifar_pipelines.incremental.training import Frames
from cifar_pipelines.learners import find
from cifar_pipelines.pipelines.features.specification import FeaturesSpec, create_checked_extractor
from cifar_pipelines.pipelines.features.worker import ExtractionJob
from cifar_pipelines.pipelines.streaming.frame_features import FrameFeatures, FrameJob
from cifar_pipelines.pipelines.streaming.learning import Course, DriverEngine, ExecutorsEngine, MicroBatches, failed
from cifar_pipelines.pipelines.streaming.query import put_in_place, reading, require_same_stream, run_query, set_aside
from cifar_pipelines.pipelines.streaming.specification import StreamSpec
from cifar_pipelines.records.model_report import FitReport
from cifar_pipelines.records.parts import Timings
from cifar_pipelines.records.training_parts import StreamReport
from cifar_pipelines.spark.run_context import RunContext
from cifar_pipelines.streaming.journal import commit as mark_learned
from cifar_pipelines.streaming.journal import committed as taken_before
from cifar_pipelines.streaming.journal import read_journal
from cifar_pipelines.training.augmentation import build_augmentation

logger = logging.getLogger(__name__)

# What of a feature table's description decides what a learner learns from.
FEATURES = ("extractor", "weights", "input_size", "options", "precision", "micro_batch", "dimension")


def learn(
    course: Course,
    stream: StreamSpec,
    features_info: dict[str, Any],
    extractor_state: dict[str, Any],
    features_spec: FeaturesSpec,
    commits: Path,
    stored_features: Path,
    run_context: RunContext,
) -> tuple[dict[str, LearnedModel], pd.DataFrame, dict[str, FitReport], pd.DataFrame]:
    """Lets all learners learn from the stream until it has ended.

    What is committed when a run ends before that is where the next one goes on.

    Returns:
        What was learned, by model; a row for every block and model; what it cost, by model; and a row for every frame that this run
        has learned, see `MicroBatches.log`.

    Raises:
        UserError: If frames are missing, another run learns here, or what was committed was learned otherwise; and at the end, if a
            learner has failed.
    """
    from cifar_pipelines.spark.session import active_session
    from cifar_pipelines.spark.timing import timed

    features = {key: features_info[key] for key in FEATURES}
    identity = _identity(course, stream, features, extractor_state)
    kept = Commits(commits, identity)
    learning = alone(commits / "lock", f"Another run learns in {commits}. Wait until it has ended, or stop it.")
    with learning, reading(stream.folder), _cache(stored_features, identity, course, stream) as cache:
        session = active_session()
        job = FrameJob(
            _extraction(session, features_spec, features_info, extractor_state), course.task.dimension, stream.on_bad_image,
            build_augmentation(stream.augmentations), course.task.seed,
        )  # fmt: skip
        extract = FrameFeatures(job, run_context.cluster.cores, cache)
        micro_batches = _begin(session, course, stream, kept, extract)
        first, log = micro_batches.next_sequence, Path(run_context.cluster.log_dir) / "receiver.log"
        with timed(session, "Learning from the stream", show_progress=False) as timing, timing.repeat() as work:
            run_query(session, stream, micro_batches, log, work)
        states, last_rows = micro_batches.finish()
        if micro_batches.failures:
            raise failed(micro_batches.failures, list(states), micro_batches.traces)
        rows = _rows(kept, micro_batches.next_sequence, list(states), last_rows)
    _require_images(rows, stream)
    if words := stream.learned_at_end(int(rows.groupby("model")["images"].sum().max())):
        logger.info(words)
    _say_what_it_cost(micro_batches, first, work.wall_s, extract.stored)
    learned = {
        model: LearnedModel(spec.learner, spec.options, course.task, features, _of_learner(states[model]))
        for model, spec in course.learners.items()
    }
    reports = _reports(course, micro_batches, rows, stream, extract.stored, timing)
    return learned, rows, reports, micro_batches.log()


def forget_commits(commits: Path, *run_records: dict[str, Any]) -> str:
    """Removes what was committed on the way, once every model and its run record are there.

    Until then the same command goes on with it, whatever else of the run fails.

    Args:
        commits: Where it is.
        *run_records: The record of every model.

    Returns:
        The run, for which those wait who come last.
    """
    with alone(commits / "lock", f"Another run learns in {commits}. Wait until it has ended, or stop it."):
        Commits(commits, {}).forget()
    return run_records[0]["run_id"]


def _cache(folder: Path, identity: dict[str, Any], course: Course, stream: StreamSpec) -> Any:
    """The stored features of this extractor, state and augmentation; None where none are to be stored."""
    if not stream.store_features:
        return nullcontext()
    made_by = json.dumps([identity["features"], identity.get("augmentation")], sort_keys=True)
    name = hashlib.sha256(made_by.encode()).hexdigest()[:16]
    return FeatureCache(folder / f"{name}.features", course.task.dimension)


def _begin(
    session: SparkSession, course: Course, stream: StreamSpec, commits: Commits, extract: FrameFeatures
) -> MicroBatches:
    """Goes on from the newest commit, or begins anew."""
    if not stream.resume:
        commits.forget()
    commit = commits.latest()
    next_sequence = commit.next_sequence if commit else course.first_sequence
    _rows(commits, next_sequence, list(commit.states if commit else ()))
    if commit:
        require_same_stream(stream.folder, next_sequence - 1, commit.producers, "--params streaming.resume=false")
        logger.info("Going on after frame %d, up to which an earlier run has committed.", next_sequence - 1)
    elif others := taken_before(stream.folder):
        logger.info(
            "%s of this stream taken by runs before; nothing of them is committed in %s, so all are learned from the first frame on.",
            counted(others, "frame was", "frames were"), commits.folder,
        )  # fmt: skip
    put_in_place(stream.folder, next_sequence)
    engine = (
        DriverEngine(course, commits, commit)
        if stream.engine == "driver"
        else ExecutorsEngine(session, course, commits)
    )
    reached, told = [next_sequence], set()

    def committed(sequence: int) -> int:
        mark_learned(stream.folder, sequence)
        set_aside(stream.folder, reached[0], sequence)
        reached[0] = sequence + 1
        return max(0, read_journal(stream.folder).landed - sequence)

    def checked(frames: DataFrame) -> tuple[Frames, pd.DataFrame]:
        journal = read_journal(stream.folder)
        stream.check_producers(journal, course.task.classes)
        commits.producers = journal.digests
        if (words := stream.late_labels(journal)) and words not in told:
            logger.warning(words)
            told.add(words)
        return extract(frames)

    failures = commit.failures if commit else {}
    return MicroBatches(engine, commits, checked, committed, next_sequence, list(course.learners), failures)


def _rows(commits: Commits, next_sequence: int, models: list[str], last: pd.DataFrame | None = None) -> pd.DataFrame:
    """The rows of models up to a frame, with the last ones, which are in no commit.

    Raises:
        UserError: If some are missing, so that every number of an image after them would be wrong.
    """
    rows = commits.rows(next_sequence)
    if last is not None:
        rows = pd.concat([rows, last], ignore_index=True)
    if rows.empty:
        return rows
    rows = rows[rows["model"].isin(models)]
    for model, blocks in rows.groupby("model"):
        if (wrong := (blocks["first"] != blocks["images"].cumsum().shift(fill_value=0)).to_numpy()).any():
            raise UserError(
                f"In {commits.folder} nothing is there of what was said of images before image {blocks['first'].iloc[wrong.argmax()]:,} of "
                f"{model} while they were learned. Put it back, or begin anew: --params streaming.resume=false."
            )
    return rows


def _identity(
    course: Course, stream: StreamSpec, features: dict[str, Any], extractor_state: dict[str, Any]
) -> dict[str, Any]:
    """What a commit depends on."""
    identity = {
        "models": {
            model: {"learner": spec.learner, "options": spec.options} for model, spec in course.learners.items()
        },
        "classes": list(course.task.classes),
        "seed": course.task.seed,
        "features": features | {"extractor_state": digest(extractor_state)},
        "law": asdict(stream.law),
        "landing": stream.landing,
        "holdout_images": stream.holdout_images,
    }
    return identity | ({"augmentation": stream.augmentations} if stream.augmentation else {})


def _extraction(
    session: SparkSession, spec: FeaturesSpec, features_info: dict[str, Any], extractor_state: dict[str, Any]
) -> ExtractionJob:
    """The extraction that gave the feature table, of the test images too."""
    broadcast = session.sparkContext.broadcast(extractor_state)
    load = partial(getattr, broadcast, "value")
    extractor = create_checked_extractor(spec)
    return ExtractionJob(uuid.uuid4().hex, extractor, load, features_info["precision"], features_info["micro_batch"])


def _reports(
    course: Course, micro_batches: MicroBatches, rows: pd.DataFrame, stream: StreamSpec, stored: int, timing: Any
) -> dict[str, FitReport]:
    """What it cost, by model.

    The fit time of a learner is its share of the time in which all learned, by the CPU time of each. So those of a setting add up to what
    one waits for.
    """
    parts = Timings(extract_s=(round(micro_batches.extract_s, 3),), engine_overhead_s=round(micro_batches.commit_s, 3))
    log, seconds = micro_batches.log(), rows.groupby("model")["seconds"].sum()
    live = log[log["live"]]
    share = micro_batches.learn_s / micro_batches.alone_s if micro_batches.alone_s else 1.0
    late = np.repeat((live["committed_at"] - live["scheduled_at"]).to_numpy(float), live["images"].to_numpy(int))
    lateness = [round(float(one), 3) for one in np.quantile(late, (0.5, 0.99))] if len(late) else [None, None]
    reports = {}
    for model, last in rows.groupby("model").last().iterrows():
        fit = replace(parts, fit_s=(round(share * float(seconds[model]), 3),))
        learner = find(course.learners[str(model)].learner)
        went = None  # where an earlier run had committed all
        if len(log):
            went = StreamReport(
                stream.engine, len(seconds), micro_batches.images, stored, sustained(log),
                *lateness, int(live["waiting"].max()) if len(live) else None,
                round(micro_batches.learn_s, 3), round(micro_batches.alone_s / micro_batches.learn_s, 3),
                float(last["accuracy"]), float(last["log_loss"]), learner.exact, learner.at_once,
            )  # fmt: skip
        reports[str(model)] = FitReport.of(timing, fit, stream=went)
    return reports


def sustained(log: pd.DataFrame) -> float | None:
    """Images per second after the first micro-batch, which also waits for Python and the network; None where that was all.

    Args:
        log: See `MicroBatches.log`.
    """
    first, last = log["committed_at"].min(), log["committed_at"].max()
    return float(log.loc[log["committed_at"] > first, "images"].sum() / (last - first)) if last > first else None


def _of_learner(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The part of a training's state that is the learner's."""
    return {name.removeprefix("learner."): array for name, array in state.items() if name.startswith("learner.")}


def _require_images(rows: pd.DataFrame, stream: StreamSpec) -> None:
    if rows.empty:
        raise UserError(f"The stream in {stream.folder} has ended without an image. Serve images, then run again.")


def _say_what_it_cost(micro_batches: MicroBatches, first: int, wall_s: float, stored: int) -> None:
    if micro_batches.next_sequence == first:
        logger.info("An earlier run has learned all %d frames; none was left for this one.", first - 1)
        return
    logger.info(
        "Frames %d to %d, %d images in %.1f s: features %.1f s (%d of them were stored), learning %.1f s, commits %.1f s.",
        first, micro_batches.next_sequence - 1, micro_batches.images, wall_s, micro_batches.extract_s, stored,
        micro_batches.learn_s, micro_batches.commit_s,
    )  # fmt: skip
