"""The end of a run in a terminal: results, places, times."""

import os
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cifar_pipelines.common.words import counted, in_seconds, seconds
from cifar_pipelines.records.run_record import RunRecord

SLOWEST = 8
# What people open; everything else lies beside it.
WORTH_A_LOOK = {
    "comparison_pdf": "report",
    "comparison_html": "the same as one page for the browser",
    "comparison_report": "the comparison in Markdown",
    "source_classes_plot": "classes of the complete data set",
    "subset_classes_plot": "classes of the subset",
    "samples_plot": "sample images",
}
# What every model leaves, in a folder of its name.
FOLDERS = {"metrics": "scores, confusion matrices, ROC curves, galleries", "predictions_csv": "predictions"}


def print_summary(pipeline: Any, catalog: Any, times: dict[str, float]) -> None:
    """Prints the scores of a pipeline that ran, the slowest steps by the seconds of every node, and where results are."""
    console = Console(width=None if os.isatty(1) else 120)
    outputs = pipeline.all_outputs()
    if "comparison_table" in outputs:
        from cifar_pipelines.terminal.comparison import terminal_summary

        console.print(terminal_summary(catalog.load("comparison_table")))
    elif records := [name for name in sorted(outputs) if name.endswith("run_record")]:
        console.print(_records_table([RunRecord.from_json(catalog.load(name)) for name in records]))
    console.print(_times_table(times))
    for what, place in _places(catalog, outputs).items():
        console.print(f"  {what}: [bold]{place}[/bold]", soft_wrap=True)


def _records_table(records: list[RunRecord]) -> Table:
    first = records[0]
    title = f"{first.parallelism.setting} on {first.data.source}"
    if first.parallelism.oversubscribed:
        title += f" (oversubscribed: the host has {counted(first.parallelism.host_cores, 'core')})"
    table = Table("model", "accuracy", "95 % interval", "time [s]", "predict [s]", title=title)
    for record in records:
        if record.is_extraction:
            table.add_row(record.model, "", "", seconds(min(record.times_s)), "")
            continue
        value, low, high = (record.score(f"accuracy.{name}") for name in ("value", "low", "high"))
        table.add_row(
            record.model,
            f"{value:.1%}",
            f"{low:.1%} to {high:.1%}",
            seconds(sorted(record.times_s)[len(record.times_s) // 2]),
            seconds(min(record.timings.predict_s)),
        )
    return table


def _times_table(times: dict[str, float]) -> Table:
    table = Table("step", "seconds", title=f"{counted(len(times), 'step')} in {in_seconds(sum(times.values()))}")
    for name, value in sorted(times.items(), key=lambda item: -item[1])[:SLOWEST]:
        table.add_row(name, seconds(value))
    return table


def _places(catalog: Any, outputs: set[str]) -> dict[str, str]:
    """What was written that people open, and where it lies."""
    places = {WORTH_A_LOOK[name]: _path(catalog, name) for name in WORTH_A_LOOK if name in outputs}
    for name in sorted(outputs):
        family_and_model, _, kind = name.rpartition(".")
        if kind in FOLDERS:
            places[FOLDERS[kind]] = _above(_path(catalog, name), family_and_model.rpartition(".")[2])
        elif name.endswith("_run_record"):
            places["run records"] = _above(_path(catalog, name), f"{name.removesuffix('_run_record')}.json")
    return {what: os.path.relpath(path) for what, path in places.items()}


def _above(path: Path, folder: str) -> Path:
    """The folder above the one of that name."""
    return next(parent.parent for parent in path.parents if parent.name == folder)


def _path(catalog: Any, name: str) -> Path:
    return Path(str(catalog.get(name)._get_load_path()))
