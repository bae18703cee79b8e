"""What families that train networks share: training that outlives lost workers, and what is known of it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.lazy_types import DataFrame, SparkSession
from cifar_pipelines.common.own_code import CodeError
from cifar_pipelines.common.precision import resolve_precision
from cifar_pipelines.common.words import first_line
from cifar_pipelines.engines import Engine, create_engine
from cifar_pipelines.judging.statistics import chance_of
from cifar_pipelines.pipelines.epoch_log import EpochLog
from cifar_pipelines.records.model_report import FitReport, ModelReport, PredictionReport
from cifar_pipelines.records.parts import Timings
from cifar_pipelines.spark.python_tasks import on_every_core
from cifar_pipelines.spark.run_context import RunContext
from cifar_pipelines.training.checkpoint import Checkpoint, claimed, find_unfinished, forget
from cifar_pipelines.training.job import Job

if TYPE_CHECKING:
    from cifar_pipelines.spark.timing import Timing, Work

logger = logging.getLogger(__name__)

# A lost worker costs at most one epoch; one that is lost again and again will not come back.
RESTARTS = 2
# What a training depends on beside its parameters.
OF_THE_RUN = ("engine", "setting", "seed", "images_fingerprint")


class Spec(Protocol):
    """What is asked of a network's checked block."""

    engine: str
    resume: bool

    @property
    def model(self) -> str:
        """Name of the model in records and paths."""

    @property
    def epochs(self) -> int:
        """Epochs at most."""

    @property
    def justification(self) -> str:
        """Why this network, in one line."""


@contextmanager
def going_on(
    family: str, spec: Spec, configuration: dict[str, Any], checkpoints: Path, run_context: RunContext
) -> Iterator[tuple[Checkpoint, int]]:
    """The checkpoint of a training, and how many epochs an earlier run has done of it; see `claimed`."""
    with claimed(checkpoints, run_context.run_id, configuration, spec.resume, family) as checkpoint:
        resumed = len(checkpoint.load()[1]) if checkpoint.holds_state else 0
        if resumed:
            logger.info("%s goes on after epoch %d of at most %d.", spec.model, resumed, spec.epochs)
        yield checkpoint, resumed


def forget_checkpoint(run_record: dict[str, Any], checkpoints: Path, run_context: RunContext) -> str:
    """Removes the checkpoint of a training, once its network and its run record are there.

    Until then the same command goes on with it, whatever else of the run fails.

    Returns:
        The run, for which those wait who come last.
    """
    forget(checkpoints, run_context.run_id)
    return run_record["run_id"]


@contextmanager
def clocked(spec: Spec, checkpoint: Checkpoint) -> Iterator[tuple["Timing", "Work"]]:
    """Times a training, and says every epoch that ends."""
    from cifar_pipelines.spark.session import active_session
    from cifar_pipelines.spark.timing import timed

    with (
        timed(active_session(), f"Training {spec.model}", show_progress=False) as timing,
        timing.repeat() as work,
        EpochLog(checkpoint, spec.model, spec.epochs),
    ):
        yield timing, work


def train_to_the_end(engine: Engine, job: Job, checkpoint: Checkpoint, run_context: RunContext) -> int:
    """Trains, and starts again from the checkpoint when a worker is lost; returns how often it did."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    from cifar_pipelines.spark.session import await_executors

    setting = run_context.setting
    for attempt in range(RESTARTS + 1):
        try:
            engine.train(replace(job, attempt=attempt), setting.executors, setting.executor_cores)
            if reason := checkpoint.failure():  # a worker that says why it ends does so in peace
                raise CodeError(f"Training stopped. {reason}")
            return attempt
        except (Py4JError, PySparkException, RuntimeError) as error:
            if reason := checkpoint.failure():
                raise CodeError(f"Training stopped. {reason}") from None
            if attempt == RESTARTS:
                raise
            logger.warning(
                "A worker was lost after epoch %d; training starts again from there. (%s)",
                len(checkpoint.history()), _first_line(error),
            )  # fmt: skip
            await_executors(setting.executors, 60, run_context.cluster.embedded)
    raise AssertionError("unreachable")


def _first_line(error: Exception) -> str:
    java = getattr(error, "java_exception", None)
    text = java.getMessage() if java is not None else str(error)
    return first_line(text or "", 200) or type(error).__name__


def fit_timings(history: list[dict[str, float]], resumed: int, wall_s: float, workers: list[dict[str, Any]]) -> Timings:
    """Times of the fit: all of it, as one waits for it, and its parts by the first worker's clock."""
    now, before = history[resumed:], history[:resumed]
    train = sum(row["seconds"] for row in now)
    validate = sum(row["validation_seconds"] for row in now)
    earlier = sum(row["seconds"] + row["validation_seconds"] for row in before)
    return Timings(
        fit_s=(round(wall_s + earlier, 3),),
        train_s=round(train + sum(row["seconds"] for row in before), 3),
        validate_s=round(validate + sum(row["validation_seconds"] for row in before), 3),
        read_s=max(worker["read_s"] for worker in workers),
        engine_overhead_s=round(wall_s - train - validate, 3),
    )


def require_all_classes(images: DataFrame, class_names: list[str]) -> None:
    """Raises a `UserError` if a class has no training image."""
    train = images.where("split = 'train'")
    present = {row["label"] for row in train.select("label").distinct().collect()}
    missing = [name for label, name in enumerate(class_names) if label not in present]
    if missing:
        raise UserError(
            f"The training images hold none of the class {', '.join(map(repr, missing))}, so it cannot be learned. Take "
            "more images (train_size), or mend those that were left out as damaged."
        )


def chance_in(images: DataFrame, split: str) -> float:
    """What guessing reaches on a split of an image table."""
    return chance_of(row["count"] for row in images.where(f"split = '{split}'").groupBy("label").count().collect())


def checked_configuration(
    family: str,
    spec: Spec,
    params: dict[str, Any],
    checkpoints: Path,
    images_info: dict[str, Any],
    seed: int,
    run_context: RunContext,
) -> dict[str, Any]:
    """What a training depends on: its parameters, and `OF_THE_RUN`.

    Raises:
        UserError: If an unfinished training that it would go on with depends on something else, key by key.
    """
    of_the_run = (spec.engine, run_context.setting.name, seed, images_info["fingerprint"])
    configuration = params | dict(zip(OF_THE_RUN, of_the_run, strict=True))
    for checkpoint in find_unfinished(checkpoints, free=True)[:1] if spec.resume else []:
        checkpoint.require_same(configuration, family)
    return configuration


def describe_network(
    family: str,
    spec: Spec,
    training_configuration: dict[str, Any],
    fit_report: FitReport,
    predict_report: PredictionReport,
) -> ModelReport:
    """Gathers what the run record says of a trained network."""
    return ModelReport(
        model=spec.model,
        family=family,
        engine=create_engine(spec.engine).describe(),
        params={key: value for key, value in training_configuration.items() if key not in OF_THE_RUN},
        fit=fit_report,
        prediction=predict_report,
        justification=spec.justification,
    )


def settled_precision(session: SparkSession, precision: str, cores: int) -> str:
    """One precision for all workers: bf16 only where every executor's CPU has it."""
    if precision != "auto":
        return precision
    found = set(on_every_core(session, cores, partial(resolve_precision, "auto")))
    return found.pop() if len(found) == 1 else "fp32"


def curve_split(images_info: dict[str, Any]) -> str:
    """Whose images draw the learning curve: "validation", or "test" where none were cut from training."""
    return "validation" if images_info.get("validation_size") else "test"


def curve_images(images_info: dict[str, Any], most: int) -> tuple[str, int]:
    """The split whose images draw the learning curve, and how many, the first by rank.

    All that were cut from training, since the best epoch may be chosen on them; of test images, which choose nothing, at most `most`.
    Damaged images that were left out leave gaps in the ranks.
    """
    split = curve_split(images_info)
    count = images_info[f"{split}_size"]
    return split, count + (images_info.get("bad_images_skipped") or 0) if split == "validation" else min(most, count)
