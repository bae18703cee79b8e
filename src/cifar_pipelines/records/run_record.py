"""The run record: what every trained model and every feature extraction leaves behind."""

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any

import pandas as pd

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.families import present_names
from cifar_pipelines.judging.statistics import chance_of
from cifar_pipelines.records.json_form import from_json, to_json
from cifar_pipelines.records.parts import Data, Features, HostLoad, Parallelism, Resources, Timings
from cifar_pipelines.records.training_parts import CacheReport, EpochRow, PhaseReport, StreamReport, WorkerReport

SCHEMA_VERSION = 1
NO_FEATURES = "images"  # what stands for the features of a model that reads images, or texts, themselves
FORMER_BATCH = 250  # of records that do not say in which batch prediction was timed
HISTORY = [column.name for column in fields(EpochRow) if column.default is MISSING]

# fmt: off
_REQUIRED = (
    "run_id", "created", "model", "family", "engine", "params", "versions",
    "data.source", "data.fingerprint", "data.train_size", "data.test_size", "data.seed",
    "parallelism.setting", "parallelism.asked.cores_max", "parallelism.asked.executor_cores",
    "parallelism.host_cores", "parallelism.oversubscribed", "timings", "host_load", "resources",
)
_REQUIRED_OF_MODELS = (
    "timings.fit_s", "timings.predict_s", "metrics.n", "metrics.accuracy.value", "metrics.accuracy.low",
    "metrics.accuracy.high", "metrics.f1_macro",
)
# fmt: on
# Keys that are null, rather than absent, in records that have the other key.
_NULL_BESIDE = {"resumed_after_epoch": "restarts", "parameter_count": "probability_source"}


@dataclass(frozen=True)
class RunRecord:
    """One run of one model, or one feature extraction; its fields are the keys of the JSON file.

    Attributes:
        run_id: Kedro's id of the run.
        model: Name of the model; of an extraction, of the extractor.
        family: Name of its family, which is that of its pipeline.
        configuration: Digest of all that the result depends on; None in records older than digests.
        created: When the record was written, ISO 8601.
        data: The images.
        features: The features that it was trained on, or that were extracted; None for a model that reads images.
        parallelism: Setting and cluster.
        timings: Seconds.
        resources: What driver, executors and tasks used.
        versions: Versions of Python and of libraries.
        git_revision: The commit of the code; None outside of git.
        engine: What trained it, with its version.
        params: Hyperparameters.
        host_load: How busy the host was while the clock ran.
        metrics: Scores, as `judging.metrics.evaluate` returns them; None for an extraction.
        job_groups: Ids of the Spark job groups of the fits or of the extraction, one per repeat; empty in records older
            than them.
        justification: Why the model is worth training.
        history: The learning curve of a network, one row per epoch.
        workers: What Python workers said of themselves.
        precision: Precision of a network's training.
        validation_from: The split whose images drew the learning curve, "validation" or "test"; None where there is no curve,
            and in older records, whose curves are of test images.
        restarts: How often a training started again after a worker was lost; None for other models.
        resumed_after_epoch: The epoch after which a training went on that an earlier run had begun; None if none had.
        prediction: Milliseconds per image of a network: `batch_1_ms`, and `batch_<n>_ms` for a batch of `prediction_batch`.
        probability_source: Where probabilities come from.
        model_size_bytes: Size of the saved model.
        parameter_count: Learned numbers of the model; None if unknown.
        artifacts: Paths of what was saved.
        phases: The phases of a transfer.
        cache: What a transfer stored of its frozen network.
        stream: How a learner went along with its stream.
        environment: The environment of the configuration, as `--env` names it; None for the default one, and in older records.
        params_of: The environment that `--params-of` named; None for none, and in older records.
    """

    run_id: str
    model: str
    family: str
    configuration: str | None
    created: str
    data: Data
    features: Features | None
    parallelism: Parallelism
    timings: Timings
    resources: Resources
    versions: dict[str, str]
    git_revision: str | None
    engine: str
    params: dict[str, Any]
    host_load: HostLoad
    metrics: dict[str, Any] | None
    job_groups: tuple[str, ...] = ()
    justification: str = ""
    history: tuple[EpochRow, ...] = ()
    workers: tuple[WorkerReport, ...] = ()
    precision: str | None = None
    validation_from: str | None = None
    restarts: int | None = None
    resumed_after_epoch: int | None = None
    prediction: dict[str, float] = field(default_factory=dict)
    probability_source: str | None = None
    model_size_bytes: int | None = None
    parameter_count: int | None = None
    artifacts: dict[str, str] = field(default_factory=dict)
    phases: tuple[PhaseReport, ...] = ()
    cache: CacheReport | None = None
    stream: StreamReport | None = None
    environment: str | None = None
    params_of: str | None = None

    @classmethod
    def from_json(cls, content: Any) -> "RunRecord":
        """Reads a record, also one with a former name of its family.

        Raises:
            UserError: The schema is another one, a key is missing, a timing is not a positive number, a learning curve is
                not complete, or a value has the wrong type.
        """
        _check(content)
        try:
            record = from_json(cls, content)
        except (TypeError, ValueError, AttributeError) as error:
            raise UserError(f"A value of the run record has the wrong type ({error}). Run again.") from error
        return replace(record, family=present_names().get(record.family, record.family))

    def to_json(self) -> dict[str, Any]:
        """The record as the content of a JSON file."""
        content = {"schema_version": SCHEMA_VERSION} | to_json(self)
        nulls = {key: None for key, other in _NULL_BESIDE.items() if other in content and key not in content}
        return content | nulls

    @property
    def parameters_from(self) -> str | None:
        """The environment that parameters came from, beside what was typed: one that is more than the setting; None for none."""
        return self.params_of or (None if self.environment == self.parallelism.setting else self.environment)

    @property
    def is_extraction(self) -> bool:
        """Whether features were extracted, and nothing was trained."""
        return not self.metrics and bool(self.timings.extract_s)

    @property
    def times_s(self) -> tuple[float, ...]:
        """Every repeat: fit times in seconds, or extraction times."""
        return self.timings.extract_s if self.is_extraction else self.timings.fit_s

    @property
    def earlier_s(self) -> float:
        """The part of the fit time that lies in earlier runs, which this one went on from."""
        return sum(row.total_s for row in self.history[: self.resumed_after_epoch or 0])

    @property
    def in_one_go(self) -> bool:
        """Whether its time is not put together from parts, by a training that was resumed or started again."""
        return not self.resumed_after_epoch and not self.restarts

    @property
    def features_identity(self) -> str:
        """Names the features so that two that differ never share a name; `NO_FEATURES` where there are none."""
        return self.features.identity if self.features else NO_FEATURES

    @property
    def prediction_batch(self) -> int | None:
        """Images of the batch whose prediction was timed; None where none was."""
        return int(self.prediction.get("batch", FORMER_BATCH)) if self.prediction else None

    @property
    def chance(self) -> float | None:
        """What guessing reaches, by the classes that were judged; by their number where these are not known."""
        support = [one.get("support") or 0 for one in self.score("per_class") or ()]
        if sum(support):
            return chance_of(support)
        return 1 / len(self.data.class_names) if self.data.class_names else None

    def score(self, path: str) -> Any:
        """The value at a dotted path in the metrics; None where there is none."""
        return _get(self.metrics, path)


def _check(content: Any) -> None:
    """Raises a `UserError` for what a record of this schema must not lack."""
    if not isinstance(content, Mapping):
        raise UserError(f"A run record must be a JSON object, not {type(content).__name__}. Run again.")
    version = content.get("schema_version")
    if version != SCHEMA_VERSION:
        raise UserError(
            f"The run record has schema_version {version!r}, but this version reads {SCHEMA_VERSION}. "
            "Run again to make a new record."
        )
    extraction = not content.get("metrics") and _get(content, "timings.extract_s") is not None
    for path in _REQUIRED + (() if extraction else _REQUIRED_OF_MODELS):
        if _get(content, path) is None:
            raise UserError(f"The run record lacks the key {path!r}. Run again to make a complete record.")
    timings = content["timings"]["extract_s" if extraction else "fit_s"]
    if not isinstance(timings, list | tuple) or not timings or not all(map(_is_duration, timings)):
        raise UserError(
            f"The run record has the timings {timings!r}; they must be a list of positive seconds. Run again."
        )
    try:
        pd.Timestamp(content["created"])
    except (TypeError, ValueError) as error:
        raise UserError(
            f"The run record has the time {content['created']!r}, which is not ISO 8601. Run again."
        ) from error
    history = content.get("history")
    if history is not None and not (isinstance(history, list) and all(map(_is_epoch, history))):
        raise UserError(f"The run record has a history that is no list of epochs with {', '.join(HISTORY)}. Run again.")


def _get(block: Any, path: str) -> Any:
    """Returns the value at a dotted path, or None."""
    for key in path.split("."):
        block = block.get(key) if isinstance(block, Mapping) else None
    return block


def _is_duration(value: Any) -> bool:
    """Whether the value is a positive, finite number of seconds."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def _is_epoch(row: Any) -> bool:
    return isinstance(row, Mapping) and all(
        isinstance(value := row.get(name, ""), int | float) or (value is None and name == "accuracy")
        for name in HISTORY
    )
