"""One section of the comparison report: one data set, measured on one kind of host."""

from collections.abc import Callable, Mapping

import pandas as pd

from cifar_pipelines.evaluation.summary import marks, trained
from cifar_pipelines.evaluation.verdict import interval, latest_of_each_model, verdict

Columns = Mapping[str, Callable[[pd.Series], object]]


def report_section(title: str, rows: pd.DataFrame) -> str:
    """Writes the section of the report about one study.

    Args:
        title: What names the data and the host.
        rows: Rows of the comparison table that belong together.

    Returns:
        Markdown that begins with a heading of level 2.
    """
    models = trained(rows)
    newest = rows.sort_values("latest").iloc[-1]
    text = [
        f"## {title[0].upper()}{title[1:]}",
        "| | |\n| --- | --- |\n"
        + "\n".join(f"| {name} | {_cell(value)} |" for name, value in _identity(newest).items()),
        "### Verdict",
        "\n".join(f"- **{topic}.** {sentences}" for topic, sentences in verdict(rows).items()),
    ]
    if not models.empty:
        text += [
            "### Scores of each model's latest run",
            markdown_table(latest_of_each_model(models), SCORES),
            "### Why these classifiers",
            "\n".join(
                f"- **{row['label']}** ({row['engine']}): {' '.join(row['justification'].split()) or 'not stated'}"
                for _, row in latest_of_each_model(models).fillna({"justification": ""}).iterrows()
            ),
            "### Accuracy by model and setting",
            markdown_table(models, ACCURACY),
        ]
    text += [
        "### Time by model and setting",
        markdown_table(rows, TIMES),
        "### Resources by model and setting",
        markdown_table(rows, RESOURCES),
        "### Versions",
        f"Of the newest run ({newest['run_ids'].split()[-1]}): {newest['versions']}; "
        f"code revision {_cell(newest['git_revision'])}.",
    ]
    if rows["versions"].nunique() > 1:
        text.append(
            f"The runs above were made with {rows['versions'].nunique()} different sets of versions, so a "
            "difference between them may come from the versions."
        )
    return "\n\n".join(text)


def markdown_table(rows: pd.DataFrame, columns: Columns) -> str:
    """Writes rows as a Markdown table.

    Args:
        rows: The rows.
        columns: For each heading, what to write of a row.

    Returns:
        The table, without a final line break.
    """
    lines = [" | ".join(columns), " | ".join("---" for _ in columns)]
    lines += [" | ".join(_cell(write(row)) for write in columns.values()) for _, row in rows.iterrows()]
    return "\n".join(f"| {line} |" for line in lines)


def seconds(row: pd.Series) -> str:
    """Writes the median time of a row with minimum and maximum, in seconds."""
    if row["timings"] == 1:
        return f"{row['time_s']:.3g}"
    return f"{row['time_s']:.3g} ({row['time_min_s']:.3g} to {row['time_max_s']:.3g})"


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


def _number(column: str, form: str) -> Callable[[pd.Series], object]:
    """Returns what writes one number of a row."""
    return lambda row: None if pd.isna(row[column]) else format(row[column], form)


def _text(column: str) -> Callable[[pd.Series], object]:
    """Returns what writes one value of a row."""
    return lambda row: row[column]


def _cell(value: object) -> str:
    """Writes a value into a cell; a missing one as a dash."""
    return "–" if value is None or value != value else str(value).replace("|", "\\|").replace("\n", " ")


_WHO: Columns = {"model": _text("label"), "setting": _text("setting")}
SCORES: Columns = {
    "model": _text("label"),
    "features": _text("extractor_identity"),
    "accuracy": interval,
    "precision macro / weighted": lambda row: _pair(row, "precision"),
    "recall macro / weighted": lambda row: _pair(row, "recall"),
    "F1 macro / weighted": lambda row: _pair(row, "f1"),
    "log loss": _number("log_loss", ".3f"),
    "ROC AUC": _number("roc_auc", ".3f"),
    "probabilities": _text("probability_source"),
}
ACCURACY: Columns = _WHO | {
    "accuracy": interval,
    "F1 macro": _number("f1_macro", ".3f"),
    "log loss": _number("log_loss", ".3f"),
    "parameters": _number("parameter_count", ",.0f"),
    "size [kB]": lambda row: _scaled(row["model_size_bytes"], 1e-3),
    "runs": _text("runs"),
    "run records": _text("run_ids"),
}
TIMES: Columns = _WHO | {
    "cores": _text("cores"),
    "executors": _text("executors"),
    "time [s]": seconds,
    "timings": _text("timings"),
    "speed-up": _number("speedup", ".2f"),
    "efficiency": _number("efficiency", ".0%"),
    "features [s]": _number("extract_s", ".3g"),
    "predict [s]": _number("predict_s", ".3g"),
    "start-up [s]": _number("start_up_s", ".3g"),
    "marks": lambda row: ", ".join(marks(row)),
}
RESOURCES: Columns = _WHO | {
    "core-seconds": _number("core_seconds", ".1f"),
    "utilisation": _number("utilisation", ".0%"),
    "accuracy points per core-minute": lambda row: _scaled(row["accuracy_per_core_minute"], 100),
    "garbage collection [s]": _number("gc_s", ".2f"),
    "executor JVM [MB]": _number("executor_jvm_memory_mb", ".0f"),
    "executor Python [MB]": _number("executor_python_memory_mb", ".0f"),
    "driver [MB]": _number("driver_memory_mb", ".0f"),
}


def _pair(row: pd.Series, score: str) -> str:
    """Writes the macro and the weighted average of a score."""
    return " / ".join(_cell(_number(f"{score}_{average}", ".3f")(row)) for average in ("macro", "weighted"))


def _scaled(value: float, factor: float) -> str | None:
    """Writes a number in another unit."""
    return None if pd.isna(value) else f"{value * factor:,.0f}"
