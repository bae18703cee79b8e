"""One row per model and setting, over all its runs."""

import hashlib
from collections.abc import Iterator

import pandas as pd

from cifar_pipelines.common.words import counted
from cifar_pipelines.judging.statistics import repeats
from cifar_pipelines.records.job_groups import GROUP_SEPARATOR

# Results are compared inside one section only: the same data, measured on the same kind of host.
SECTION = ["source", "fingerprint", "train_size", "test_size", "seed", "host_cores", "cluster"]
MODEL = ["family", "extractor_identity", "model"]
_PEAKS = ("driver_memory_mb", "executor_jvm_memory_mb", "executor_python_memory_mb")
BUSY_HOST = 0.15  # a larger share of the host's CPU time for other programs makes timings doubtful

_OF_LATEST_RUN = [
    *("engine", "extractor", "asked_cores", "cores", "executor_cores", "executors", "executor_memory_mb"),
    *("content", "judged_on", "judged_size"),
    *("oversubscribed", "accuracy", "accuracy_low", "accuracy_high", "confidence", "test_images", "chance"),
    *("precision_macro", "recall_macro", "f1_macro", "precision_weighted", "recall_weighted", "f1_weighted"),
    *("log_loss", "roc_auc", "calibration_error", "outcome_images", "outcomes"),
    *("probability_source", "model_size_bytes", "parameter_count"),
    *("justification", "versions", "git_revision"),
    *("network", "precision", "images_per_s", "engine_overhead_s", "workers", "threads"),
    *("predict_1_ms", "predict_batched_ms", "predict_batch"),
]


def summarise(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Sums up the runs of each model under each setting.

    Of each model only the newest parameters are kept. Times are medians over all repeats of all runs,
    in seconds; `time_s` is the fit time, or the extraction time of a feature extraction, with its smallest and
    largest repeat and the median absolute deviation in `time_deviation_s`, NaN without repeats; `extract_s`
    is the time the model's features took under the same setting. Scores are those of the latest run.
    Every cell is a scalar, so that the table survives CSV.

    Args:
        table: What `records_to_table` returned; not empty.

    Returns:
        One row per section, model and setting, and a sentence for each model with runs left out.
    """
    newest = table.groupby(SECTION + MODEL)["params_digest"].transform("last")
    older = table[table["params_digest"] != newest]
    notes = [
        f"{counted(len(runs), 'run')} of {model!r} with older parameters "
        f"({', '.join(sorted(runs['params_digest'].unique()))}) left out."
        for model, runs in older.groupby("model")
    ]
    names = [*SECTION, *MODEL, "setting"]
    measured = table[table["params_digest"] == newest].groupby(names)
    summary = pd.DataFrame([dict(zip(names, key, strict=True)) | _over_runs(runs) for key, runs in measured])
    summary["label"] = _labels(summary)
    summary["extract_s"] = _extraction_times(summary)
    order = [*SECTION, "family", "label", "cores", "executor_cores"]
    return summary.sort_values(order, ignore_index=True), notes


def sections(summary: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yields the title and the rows of each section; results of two sections never share a ranking."""
    for key, rows in summary.groupby(SECTION, sort=False):
        named, first = dict(zip(SECTION, key, strict=True)), rows.iloc[0]
        yield (
            f"{named['source']} ({named['fingerprint'][:8]}), {named['train_size']:,} training and "
            f"{counted(first['judged_size'], first['judged_on'])}, seed {named['seed']}, host with {counted(named['host_cores'], 'core')}, "
            f"{'embedded cluster' if named['cluster'] == 'embedded' else 'cluster ' + named['cluster']}",
            rows,
        )


def main_study(summary: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows of the section with the most measurements, at a tie of the one that was measured last."""
    return max((rows for _, rows in sections(summary)), key=lambda rows: (len(rows), rows["latest"].max()))


def of_section(rows: pd.DataFrame, study: pd.DataFrame) -> pd.DataFrame:
    """Returns those rows of a table that belong to the section of a study's rows."""
    own = study[SECTION].iloc[0].astype(str)
    return rows[(rows[SECTION].astype(str) == own).all(axis=1)]


def trained(rows: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows of trained models, without those of feature extractions, which have no scores."""
    return rows[rows["accuracy"].notna()]


def marks(row: pd.Series) -> list[str]:
    """Names what makes the time of a summary row doubtful.

    "resumed" and "restarted" mean that the time is put together from parts: a training went on from a
    checkpoint in another run, or in the same run after a worker was lost.
    """
    found = {
        "oversubscribed": row["oversubscribed"],
        f"{row['cores']} of {row['asked_cores']} cores granted": row["cores"] < row["asked_cores"],
        "busy host": row["busy_runs"],
        "resumed": row["resumed_runs"],
        "restarted": row["restarted_runs"],
        "one timing": row["timings"] == 1,
    }
    return [mark for mark, applies in found.items() if applies]


def put_together(rows: pd.DataFrame) -> pd.Series:
    """Whether the time of a summary row is put together from parts; see `marks`."""
    return (rows["resumed_runs"] + rows["restarted_runs"]) > 0


def _over_runs(runs: pd.DataFrame) -> dict:
    """Sums up the runs of one model under one setting."""
    latest = runs.iloc[-1]
    times = repeats([value for of_one_run in runs["timings_s"] for value in of_one_run])
    busy = runs["other_cpu_share"].astype(float) > BUSY_HOST
    return {
        "params_digest": latest["params_digest"],
        **latest[_OF_LATEST_RUN].to_dict(),
        **{"time_s": times.median, "time_min_s": times.low, "time_max_s": times.high},
        **{"time_deviation_s": times.deviation, "timings": times.n},
        "runs": len(runs),
        "busy_runs": int(busy.sum()),
        "resumed_runs": int(runs["resumed"].sum()),
        "restarted_runs": int((runs["lost_attempts"] > 0).sum()),
        "clocked_s": runs["clocked_s"].sum(),
        # One run without a measurement makes the sum unknown, not smaller.
        "task_cpu_s": runs["task_cpu_s"].astype(float).sum(skipna=False),
        **{name: runs[name].dropna().astype(float).median() for name in ("predict_s", "start_up_s", "gc_s")},
        **{name: runs[name].astype(float).max() for name in _PEAKS},
        "latest": latest["created"].isoformat(),
        "run_ids": " ".join(runs["run_id"]),
        "job_groups": GROUP_SEPARATOR.join(dict.fromkeys(runs["job_groups"].explode())),
    }


def _labels(summary: pd.DataFrame) -> pd.Series:
    """Gives every model a name that is unique in its section, no longer than it must be."""
    extraction = summary["accuracy"].isna()
    label = summary["model"].where(~extraction, summary["family"] + ": " + summary["model"])
    short = summary["extractor"].fillna(summary["content"] + "s").str.removeprefix("torchvision:")
    label = label.where(_unique(summary, label, "extractor"), label + " on " + short)
    digest = summary["extractor_identity"].map(lambda text: hashlib.sha256(text.encode()).hexdigest()[:6])
    label = label.where(_unique(summary, label, "extractor_identity"), label + " (" + digest + ")")
    return label.where(_unique(summary, label, "family"), label + " [" + summary["family"] + "]")


def _unique(summary: pd.DataFrame, label: pd.Series, column: str) -> pd.Series:
    """Whether all rows of a section with the same label agree in a column."""
    return summary.groupby([*(summary[name] for name in SECTION), label])[column].transform("nunique") <= 1


def _extraction_times(summary: pd.DataFrame) -> pd.Series:
    """Looks up, for each model, the median time of its feature extraction under the same setting."""
    key = [*SECTION, "extractor_identity", "setting"]
    extraction = summary[summary["accuracy"].isna()].set_index(key)["time_s"]
    extraction = extraction[~extraction.index.duplicated(keep="last")]
    rows = pd.MultiIndex.from_frame(summary[key])
    times = pd.Series(extraction.reindex(rows).to_numpy(), index=summary.index, dtype=float)
    return times.where(summary["accuracy"].notna())
