"""One section of the comparison report: one data set, measured on one kind of host."""

from collections.abc import Callable

import pandas as pd

from cifar_pipelines.records.summary import trained
from cifar_pipelines.report.sections.cells import (
    Columns,
    cell,
    markdown_table,
    marked,
    number,
    pair,
    scaled,
    seconds,
    text,
)
from cifar_pipelines.report.sections.engines import engines_part
from cifar_pipelines.report.sections.pairs import pairs_part
from cifar_pipelines.report.sections.ranking import fastest_of_each_model, interval
from cifar_pipelines.report.sections.scaling import scaling_part
from cifar_pipelines.report.sections.time import components_part
from cifar_pipelines.report.sections.verdict import verdict


def report_section(
    title: str, rows: pd.DataFrame, summary: pd.DataFrame, components: pd.DataFrame | None = None
) -> str:
    """Writes the section of the report about one study.

    Args:
        title: What names the data and the host.
        rows: Rows of the comparison table that belong together.
        summary: All rows of the comparison table; the models of scaling use other numbers of images.
        components: Where the time went, by model and setting, of all sections; None if nothing was looked up.

    Returns:
        Markdown that begins with a heading of level 2.
    """
    models = trained(rows)
    newest = rows.sort_values("latest").iloc[-1]
    parts = [
        f"## {title[0].upper()}{title[1:]}",
        "| | |\n| --- | --- |\n"
        + "\n".join(f"| {name} | {cell(value)} |" for name, value in _identity(newest).items()),
        "### Verdict",
        "\n".join(f"- **{topic}.** {sentences}" for topic, sentences in verdict(rows).items()),
    ]
    if not models.empty:
        parts += [
            "### Scores of each model at its fastest setting",
            markdown_table(fastest_of_each_model(models), SCORES),
            *filter(None, [pairs_part(models)]),
            "### Why these models",
            _justifications(fastest_of_each_model(models)),
            "### Accuracy by model and setting",
            markdown_table(models, ACCURACY),
        ]
    parts += [
        "### Time by model and setting",
        markdown_table(rows, TIMES),
        *filter(None, [scaling_part(summary, rows), components_part(rows, components), engines_part(models)]),
        "### Resources by model and setting",
        markdown_table(rows, RESOURCES),
        "### Versions",
        f"Of the newest run ({newest['run_ids'].split()[-1]}): {newest['versions']}; "
        f"code revision {cell(newest['git_revision'])}.",
    ]
    if rows["versions"].nunique() > 1:
        parts.append(
            f"The runs above were made with {rows['versions'].nunique()} different sets of versions, so a "
            "difference between them may come from the versions."
        )
    return "\n\n".join(parts)


def _identity(newest: pd.Series) -> dict[str, object]:
    """Names what the results of a section have in common."""
    return {
        "data source": newest["source"],
        "fingerprint": newest["fingerprint"],
        "training images": newest["train_size"],
        "test images": newest["test_size"],
        "seed": newest["seed"],
        "host cores": newest["host_cores"],
        "cluster": newest["cluster"],
    }


def _justifications(latest: pd.DataFrame) -> str:
    """Says why each model was chosen; models with the same reasons share a line."""
    reasons = latest["justification"].fillna("").map(lambda words: " ".join(words.split()) or "not stated")
    named = latest["label"].map("**{}**".format) + " by " + latest["engine"]
    return "\n".join(f"- {', '.join(names)}: {words}" for words, names in named.groupby(reasons, sort=False))


def _averages(score: str) -> Callable[[pd.Series], object]:
    """Returns what writes the macro and the weighted average of a score."""
    return pair(number(f"{score}_macro", ".3f"), number(f"{score}_weighted", ".3f"))


_WHO: Columns = {"model": text("label"), "setting": text("setting")}
SCORES: Columns = {
    "model": text("label"),
    "input": text("extractor_identity"),
    "accuracy": interval,
    "precision macro / weighted": _averages("precision"),
    "recall macro / weighted": _averages("recall"),
    "F1 macro / weighted": _averages("f1"),
    "log loss": number("log_loss", ".3f"),
    "calibration error": number("calibration_error", ".3f"),
    "ROC AUC": number("roc_auc", ".3f"),
    "probabilities": text("probability_source"),
}
ACCURACY: Columns = _WHO | {
    "accuracy": interval,
    "F1 macro": number("f1_macro", ".3f"),
    "log loss": number("log_loss", ".3f"),
    "parameters": number("parameter_count", ",.0f"),
    "size [kB]": lambda row: scaled(row["model_size_bytes"], 1e-3),
    "runs": text("runs"),
    "run records": text("run_ids"),
}
TIMES: Columns = _WHO | {
    "cores": text("cores"),
    "executors": text("executors"),
    "time [s]": seconds,
    "deviation [s]": number("time_deviation_s", ".2g"),
    "timings": text("timings"),
    "speed-up": number("speedup", ".2f"),
    "efficiency": number("efficiency", ".0%"),
    "features [s]": number("extract_s", ".3g"),
    "predict [s]": number("predict_s", ".3g"),
    "start-up [s]": number("start_up_s", ".3g"),
    "marks": marked,
}
RESOURCES: Columns = _WHO | {
    "core-seconds reserved": number("core_seconds", ".1f"),
    "CPU-seconds used": lambda row: scaled(row["utilisation"] * row["core_seconds"], 1, ".1f"),
    "utilisation": number("utilisation", ".0%"),
    "accuracy points per core-minute": lambda row: scaled(row["accuracy_per_core_minute"], 100),
    "garbage collection [s]": number("gc_s", ".2f"),
    "executor JVM [MB]": number("executor_jvm_memory_mb", ".0f"),
    "executor Python [MB]": number("executor_python_memory_mb", ".0f"),
    "driver [MB]": number("driver_memory_mb", ".0f"),
}
