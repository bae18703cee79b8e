"""The columns of the table of run records: what each means, its unit, and how a record gives it."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import pandas as pd

from cifar_pipelines.records.digest import short_digest
from cifar_pipelines.records.job_groups import group_names
from cifar_pipelines.records.json_form import to_json
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.shelf import Loaders, read_records


@dataclass(frozen=True)
class Column:
    """A column: the meaning and the unit of its cells (empty for names, counts and shares), and how a record gives one.

    Where the record does not say, the value is NaN or None.
    """

    name: str
    meaning: str
    unit: str
    value: Callable[[RunRecord], Any]


def records_to_table(records: Loaders) -> tuple[pd.DataFrame, list[str]]:
    """Lays run records out as a table, one row each, and leaves out those that cannot be compared; see `read_records`.

    Returns:
        The table with the column `record` (its name) and those of `COLUMNS`, newest row last; and a sentence for each
        record left out.
    """
    read, left_out = read_records(records)
    rows = [{"record": name} | {one.name: one.value(record) for one in COLUMNS} for name, record in read.items()]
    table = pd.DataFrame(rows)
    return (table if table.empty else table.sort_values(["created", "run_id"], ignore_index=True)), left_out


def _largest(values: Iterable[float | None]) -> float:
    """Returns the largest value, NaN where none was measured."""
    return max((value for value in values if value is not None), default=math.nan)


def _middle(values: Iterable[float]) -> float:
    """Returns the median, NaN where there is no value."""
    return median(known) if (known := list(values)) else math.nan


def _number(value: float | None) -> float:
    """Returns a number, NaN for a missing one."""
    return math.nan if value is None else float(value)


def _python_memory(record: RunRecord) -> float:
    """The larger of what Spark saw of an executor's Python processes and what a network's worker said of itself."""
    seen = [executor.peak_python_memory_mb for executor in record.resources.executors]
    return _largest([*seen, *(worker.peak_memory_mb or None for worker in record.workers)])


# fmt: off
_RUN = (
    Column("run_id", "id of the run", "", lambda r: r.run_id),
    Column("created", "when the record was written", "UTC", lambda r: pd.to_datetime(r.created, utc=True)),
    Column("model", "name of the model, or of the extractor", "", lambda r: r.model),
    Column("family", "family of the model", "", lambda r: r.family),
    Column("engine", "what trained it", "", lambda r: r.engine),
    Column("configuration", "digest of all that the result depends on", "", lambda r: r.configuration),
    Column("params_digest", "digest of the hyperparameters", "", lambda r: short_digest(r.params, 8)),
    Column("job_groups", "what names its Spark job groups", "", lambda r: list(group_names(r))),
    Column("justification", "why the model is worth training", "", lambda r: r.justification),
    Column("versions", "versions of libraries", "", lambda r: ", ".join(
        f"{name} {version}" for name, version in sorted(r.versions.items()))),
    Column("git_revision", "commit of the code", "", lambda r: r.git_revision),
)
_DATA = (
    Column("source", "image source", "", lambda r: r.data.source),
    Column("fingerprint", "identity of the image table", "", lambda r: r.data.fingerprint),
    Column("train_size", "training images", "", lambda r: r.data.train_size),
    Column("test_size", "test images", "", lambda r: r.data.test_size),
    Column("content", "what the source holds, \"image\" or \"text\"", "", lambda r: r.data.noun),
    Column("judged_on", "what models were judged on, such as \"test image\"", "", lambda r: r.data.judged_on),
    Column("judged_size", "how many these are in the data", "", lambda r: r.data.judged_size),
    Column("seed", "seed of the subset", "", lambda r: r.data.seed),
    Column("bad_images_skipped", "damaged images that were left out", "", lambda r: r.data.bad_images_skipped),
    Column("extractor", "feature extractor", "", lambda r: r.features.extractor if r.features else None),
    Column("extractor_identity", "identity of the features, or \"images\"", "", lambda r: r.features_identity),
)
_SETTING = (
    Column("setting", "parallelism setting", "", lambda r: r.parallelism.setting),
    Column("cluster", "\"embedded\", or the Master's address", "", lambda r: r.parallelism.cluster),
    Column("asked_cores", "cores asked for", "", lambda r: r.parallelism.asked.cores_max),
    Column("cores", "cores granted", "", lambda r: r.parallelism.cores),
    Column("executor_cores", "cores of an executor", "", lambda r: r.parallelism.asked.executor_cores),
    Column("executors", "executors granted", "", lambda r: r.parallelism.executors),
    Column("executor_memory_mb", "memory of an executor", "MiB", lambda r: r.parallelism.asked.executor_memory_mb),
    Column("host_cores", "cores of the driver's host", "", lambda r: r.parallelism.host_cores),
    Column("oversubscribed", "whether cores are more than the host has", "", lambda r: r.parallelism.oversubscribed),
)
_SCORES = (
    Column("accuracy", "share of `judged_on` predicted right", "", lambda r: r.score("accuracy.value")),
    Column("accuracy_low", "lower end of its interval", "", lambda r: r.score("accuracy.low")),
    Column("accuracy_high", "upper end of its interval", "", lambda r: r.score("accuracy.high")),
    Column("confidence", "confidence of the interval", "", lambda r: r.score("accuracy.confidence")),
    Column("test_images", "how many of `judged_on` were judged", "", lambda r: r.score("n")),
    Column("chance", "accuracy of always naming the most frequent class of these", "", lambda r: r.chance),
    Column("precision_macro", "precision, mean over classes", "", lambda r: r.score("precision_macro")),
    Column("recall_macro", "recall, mean over classes", "", lambda r: r.score("recall_macro")),
    Column("f1_macro", "F1, mean over classes", "", lambda r: r.score("f1_macro")),
    Column("precision_weighted", "precision, mean over images", "", lambda r: r.score("precision_weighted")),
    Column("recall_weighted", "recall, mean over images", "", lambda r: r.score("recall_weighted")),
    Column("f1_weighted", "F1, mean over images", "", lambda r: r.score("f1_weighted")),
    Column("log_loss", "log loss", "nat", lambda r: r.score("log_loss")),
    Column("roc_auc", "area under the ROC curves, one class against the rest", "",
           lambda r: r.score("roc_auc_ovr_macro")),
    Column("calibration_error", "expected calibration error", "", lambda r: r.score("calibration_error")),
    Column("outcome_images", "images behind `outcomes`, see `pack_outcomes`", "", lambda r: r.score("outcomes.images")),
    Column("outcomes", "which images were predicted right", "", lambda r: r.score("outcomes.right")),
    Column("probability_source", "where probabilities come from", "", lambda r: r.probability_source),
)
_TIMES = (
    Column("timings_s", "every repeat of the fit or of the extraction", "s", lambda r: list(r.times_s)),
    Column("fit_s", "median fit time", "s", lambda r: math.nan if r.is_extraction else _middle(r.times_s)),
    Column("extract_s", "median extraction time", "s", lambda r: _middle(r.times_s) if r.is_extraction else math.nan),
    Column("clocked_s", "time that the counters cover: all repeats, without what lies in earlier runs", "s",
           lambda r: sum(r.times_s) - r.earlier_s),
    Column("predict_s", "median prediction time", "s", lambda r: _middle(r.timings.predict_s)),
    Column("start_up_s", "start of Spark", "s", lambda r: r.timings.start_up_s),
    Column("other_cpu_share", "share of the host's CPU time for other programs", "",
           lambda r: r.host_load.other_cpu_share),
)
_RESOURCES = (
    # What lost workers computed is not in it, so of a restarted training it is unknown; learners on a stream share one query.
    Column("task_cpu_s", "CPU seconds of tasks and of Python workers", "s",
           lambda r: None if r.restarts or r.stream else r.resources.task_cpu_s),
    Column("gc_s", "garbage collection in tasks", "s", lambda r: r.resources.gc_s),
    Column("driver_memory_mb", "peak memory of the driver and its JVM", "MiB",
           lambda r: r.resources.driver.peak_memory_mb if r.resources.driver else None),
    Column("executor_jvm_memory_mb", "largest peak memory of an executor's JVM", "MiB",
           lambda r: _largest(executor.peak_jvm_memory_mb for executor in r.resources.executors)),
    Column("executor_python_memory_mb", "largest peak memory of an executor's Python processes", "MiB", _python_memory),
    Column("model_size_bytes", "size of the saved model", "byte", lambda r: r.model_size_bytes),
    Column("parameter_count", "learned numbers of the model", "", lambda r: r.parameter_count),
)
# Only networks have these; of another model most are NaN or None.
_TRAINING = (
    Column("network", "name of the network", "",
           lambda r: r.params.get("network") if isinstance(r.params, Mapping) else None),
    Column("precision", "precision of the training", "", lambda r: r.precision),
    Column("history", "learning curve, one dict per epoch", "", lambda r: [to_json(row) for row in r.history]),
    Column("resumed", "whether an earlier run began the training", "", lambda r: bool(r.resumed_after_epoch)),
    Column("lost_attempts", "how often workers started again; their CPU time before is unknown", "",
           lambda r: r.restarts or 0),
    Column("earlier_s", "part of the fit time in earlier runs", "s", lambda r: r.earlier_s),
    Column("images_per_s", "training speed, median over epochs", "1/s",
           lambda r: _middle(row.images_per_s for row in r.history)),
    Column("engine_overhead_s", "fit time outside of training and validation", "s",
           lambda r: _number(r.timings.engine_overhead_s)),
    Column("workers", "Python workers", "", lambda r: len(r.workers) or math.nan),
    Column("threads", "threads of a worker", "", lambda r: _largest(worker.threads or None for worker in r.workers)),
    Column("worker_memory_mb", "largest peak memory of a worker", "MiB",
           lambda r: max((worker.peak_memory_mb for worker in r.workers if worker.peak_memory_mb), default=None)),
    Column("predict_1_ms", "prediction of one image", "ms", lambda r: _number(r.prediction.get("batch_1_ms"))),
    Column("predict_batched_ms", "prediction of an image in a batch", "ms",
           lambda r: _number(r.prediction.get(f"batch_{r.prediction_batch}_ms"))),
    Column("predict_batch", "images of that batch", "", lambda r: r.prediction_batch or math.nan),
)
COLUMNS = (*_RUN, *_DATA, *_SETTING, *_SCORES, *_TIMES, *_RESOURCES, *_TRAINING)
# fmt: on
