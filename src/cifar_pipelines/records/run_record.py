"""The run record: what every trained model leaves behind, and the table that comparison makes of them."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

import pandas as pd

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.records.training_facts import check_history, training_columns

SCHEMA_VERSION = 1
EXTRACTION = "feature_extraction"

_REQUIRED = (
    *("run_id", "created", "model", "family", "engine", "params", "versions"),
    *("data.source", "data.fingerprint", "data.train_size", "data.test_size", "data.seed"),
    *("parallelism.setting", "parallelism.asked.cores_max", "parallelism.asked.executor_cores"),
    *("parallelism.host_cores", "parallelism.oversubscribed", "timings", "host_load", "resources"),
)
_REQUIRED_OF_MODELS = (
    *("timings.fit_s", "timings.predict_s", "metrics.n"),
    *("metrics.accuracy.value", "metrics.accuracy.low", "metrics.accuracy.high", "metrics.f1_macro"),
)
_SCORES = (
    *("precision_macro", "recall_macro", "f1_macro"),
    *("precision_weighted", "recall_weighted", "f1_weighted", "log_loss"),
)


def validate_record(record: Any) -> None:
    """Checks that a run record can be compared.

    Args:
        record: A run record of this schema.

    Raises:
        UserError: The schema is another one, a key is missing, a timing is not a positive number, or a
            learning curve is not complete.
    """
    if not isinstance(record, Mapping):
        raise UserError(f"A run record must be a JSON object, not {type(record).__name__}. Run again.")
    version = record.get("schema_version")
    if version != SCHEMA_VERSION:
        raise UserError(
            f"The run record has schema_version {version!r}, but this version reads {SCHEMA_VERSION}. "
            "Run again to make a new record."
        )
    extraction = record.get("family") == EXTRACTION
    for path in _REQUIRED + (("timings.extract_s",) if extraction else _REQUIRED_OF_MODELS):
        if _get(record, path) is None:
            raise UserError(f"The run record lacks the key {path!r}. Run again to make a complete record.")
    timings = record["timings"]["extract_s" if extraction else "fit_s"]
    if not isinstance(timings, list) or not timings or not all(_is_duration(value) for value in timings):
        raise UserError(
            f"The run record has the timings {timings!r}; they must be a list of positive seconds. Run again."
        )
    try:
        pd.Timestamp(record["created"])
    except (TypeError, ValueError) as error:
        raise UserError(
            f"The run record has the time {record['created']!r}, which is not ISO 8601. Run again."
        ) from error
    check_history(record.get("history"))


def records_to_table(records: Mapping[str, Callable[[], dict] | dict]) -> tuple[pd.DataFrame, list[str]]:
    """Lays run records out as a table, one row each, and leaves out those that cannot be compared.

    `record` is the name of the record. `timings_s` holds every repeat: fit times in seconds, or extraction
    times of a feature extraction.
    `clocked_s` is the time that `resources` of the record covers: the sum of those repeats, without the
    part of a resumed training that lies in earlier runs. `executor_python_memory_mb` is the larger of what
    Spark saw of an executor's Python processes and what a network's worker said of itself.
    `outcome_images` and `outcomes` are those of `pack_outcomes`; None in records older than them.

    Args:
        records: Run records, or functions that load one, by name.

    Returns:
        The table, newest row last, and a sentence for each record left out.
    """
    rows, left_out = [], []
    for name, load in sorted(records.items()):
        try:
            record = load() if callable(load) else load
        except Exception as error:  # a truncated or foreign file can fail in any way
            cause = error.__cause__ or error
            left_out.append(f"Run record {name!r} is left out: it cannot be read ({type(cause).__name__}).")
            continue
        try:
            validate_record(record)
            rows.append({"record": name, **_row(record)})
        except UserError as error:
            left_out.append(f"Run record {name!r} is left out: {error}")
        except (TypeError, ValueError, AttributeError) as error:
            left_out.append(f"Run record {name!r} is left out: a value has the wrong type ({error}).")
    table = pd.DataFrame(rows)
    return (table if table.empty else table.sort_values(["created", "run_id"], ignore_index=True)), left_out


def extractor_identity(features: Mapping | None) -> str:
    """Names the features so that two that differ never share a name; "images" when there are none."""
    if not features:
        return "images"
    size = f"{features['input_size']} px" if features.get("input_size") else None
    parts = (features.get("extractor"), features.get("weights"), size, features.get("precision"))
    return ", ".join(str(part) for part in parts if part)


def _row(record: Mapping) -> dict:
    """Flattens a valid record."""
    data, setting, timings = record["data"], record["parallelism"], record["timings"]
    asked, effective = setting["asked"], setting.get("effective") or {}
    resources, metrics = record["resources"], record.get("metrics") or {}
    extraction = record["family"] == EXTRACTION
    repeats = [float(value) for value in timings["extract_s" if extraction else "fit_s"]]
    executors = resources.get("executors") or []
    training = training_columns(record)
    return {
        "run_id": str(record["run_id"]),
        "created": pd.to_datetime(record["created"], utc=True),
        "model": record["model"],
        "family": record["family"],
        "engine": record["engine"],
        "configuration": record.get("configuration"),
        "params_digest": _digest(record["params"]),
        "source": data["source"],
        "fingerprint": str(data["fingerprint"]),
        "train_size": int(data["train_size"]),
        "test_size": int(data["test_size"]),
        "seed": data["seed"],
        "extractor": (record.get("features") or {}).get("extractor"),
        "extractor_identity": extractor_identity(record.get("features")),
        "setting": setting["setting"],
        "cluster": "embedded" if effective.get("embedded", True) else effective.get("master", "unknown"),
        "asked_cores": int(asked["cores_max"]),
        "cores": int(effective.get("cores") or asked["cores_max"]),
        "executor_cores": int(asked["executor_cores"]),
        "executors": int(effective.get("executors") or asked["cores_max"] // asked["executor_cores"]),
        "executor_memory_mb": asked.get("executor_memory_mb"),
        "host_cores": int(setting["host_cores"]),
        "oversubscribed": bool(setting["oversubscribed"]),
        "accuracy": _get(metrics, "accuracy.value"),
        "accuracy_low": _get(metrics, "accuracy.low"),
        "accuracy_high": _get(metrics, "accuracy.high"),
        "confidence": _get(metrics, "accuracy.confidence"),
        "test_images": metrics.get("n"),
        **{score: metrics.get(score) for score in _SCORES},
        "roc_auc": metrics.get("roc_auc_ovr_macro"),
        "calibration_error": metrics.get("calibration_error"),
        "outcome_images": _get(metrics, "outcomes.images"),
        "outcomes": _get(metrics, "outcomes.right"),
        "probability_source": record.get("probability_source"),
        "timings_s": repeats,
        "fit_s": math.nan if extraction else median(repeats),
        "extract_s": median(repeats) if extraction else math.nan,
        "fit_repeats": len(repeats),
        "clocked_s": sum(repeats) - training["earlier_s"],
        "predict_s": math.nan if extraction else median(timings["predict_s"]),
        "start_up_s": timings.get("start_up_s"),
        "read_s": timings.get("read_s"),
        # What lost workers computed is not in it, so of a restarted training it is unknown.
        "task_cpu_s": None if training["lost_attempts"] else resources.get("task_cpu_s"),
        "task_run_s": resources.get("task_run_s"),
        "gc_s": resources.get("gc_s"),
        "driver_memory_mb": _get(resources, "driver.peak_memory_mb"),
        "driver_cpu_s": _get(resources, "driver.cpu_s"),
        "executor_jvm_memory_mb": _largest(executors, "peak_jvm_memory_mb"),
        "executor_python_memory_mb": _largest(
            [*executors, {"peak_python_memory_mb": training["worker_memory_mb"]}], "peak_python_memory_mb"
        ),
        "model_size_bytes": record.get("model_size_bytes"),
        "parameter_count": record.get("parameter_count"),
        "other_cpu_share": record["host_load"].get("other_cpu_share"),
        "bad_images_skipped": data.get("bad_images_skipped"),
        "justification": record.get("justification") or "",
        "versions": ", ".join(f"{name} {version}" for name, version in sorted(record["versions"].items())),
        "git_revision": record.get("git_revision"),
        **training,
    }


def _get(record: Any, path: str) -> Any:
    """Returns the value at a dotted path, or None."""
    for key in path.split("."):
        record = record.get(key) if isinstance(record, Mapping) else None
    return record


def _is_duration(value: Any) -> bool:
    """Whether the value is a positive, finite number of seconds."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def _digest(params: Any) -> str:
    """Returns 8 hexadecimal digits that stand for the parameters, whatever the order of their keys."""
    text = json.dumps(params, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _largest(executors: list[Mapping], key: str) -> float:
    """Returns the largest value over the executors, NaN when none was measured."""
    return max((e[key] for e in executors if e.get(key) is not None), default=math.nan)
