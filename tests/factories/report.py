"""Made-up results on disk for the tests of the report."""

import io
import json
from pathlib import Path

from PIL import Image
from tests.factories.records import make_grown_study

from cifar_pipelines.pipelines.comparison.nodes import PLOTS, compare_runs, write_report
from cifar_pipelines.report.chapters.laboratory.questions import make_report
from cifar_pipelines.report.document.blocks import Document

SURVEY = {
    "pyspark": "3.5.9",
    "classifiers": [
        {"name": "NaiveBayes", "multiclass": "natively", "probabilities": "yes", "features": "refused: <negative>"},
        {"name": "LinearSVC", "multiclass": "through OneVsRest", "probabilities": "no", "features": "any"},
    ],
}  # fmt: skip


def make_png(width=60, height=40, colour=(0, 90, 140)) -> bytes:
    """A PNG image of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, "png")
    return buffer.getvalue()


def make_document(records, reporting: Path, plots=None) -> Document:
    """The report on records by name, as the comparison pipeline makes it."""
    loaders = {name: lambda record=record: record for name, record in records.items()}
    table, _, left_out = compare_runs(loaders)
    plots = {file: make_png() for file in PLOTS.values()} if plots is None else plots
    return make_report(write_report(table, left_out), table, left_out, records, plots, reporting)


def make_many(n_days=9, **changes) -> dict[str, dict]:
    """24 records a day, of three studies."""
    return {
        f"day{day}/{name}": record
        for day in range(1, n_days + 1)
        for name, record in make_grown_study(
            created=f"2026-11-{day:02d}T10:00:00+00:00", data={"seed": 42 + day % 2}, **changes
        ).items()
    }


def write_results(reporting: Path, records, folder="synthetic/train10000-test500-seed42") -> None:
    """Writes the survey, an experiment, and the plots of the data and of every model."""
    _write(reporting / "spark_ml_classifiers.json", json.dumps(SURVEY).encode())
    for plot in ("source_classes", "subset_classes", "samples"):
        _write(reporting / folder / f"{plot}.png" / "2026-11-20T10.00.00.000Z" / f"{plot}.png", make_png())
    for record in records.values():
        run = f"{record['parallelism']['setting']}/{record['model']}"
        model = reporting / folder / "kmeans_patches" / run
        for file in ("metrics.json", "confusion_matrix.png", "roc.png"):
            _write(model / file / record["run_id"] / file, make_png())
    if any(record["family"] == "bigdl_cnn" for record in records.values()):
        choice = json.dumps(make_experiment(records)).encode()
        _write(reporting / "experiments" / "2026-11-20T12.00.00Z.json", choice)


def make_experiment(records) -> dict:
    """What an experiment on these records leaves behind; it chose the setting with the shortest fit."""
    candidates = [
        {
            "setting": record["parallelism"]["setting"],
            "fit_s": record["timings"]["fit_s"][0],
            "repeats": 1,
            **{name: record["metrics"]["accuracy"][key] for name, key in _SCORE.items()},
        }
        for record in records.values()
        if record["model"] == "airbench_bigdl"
    ]
    candidates.sort(key=lambda one: one["fit_s"])
    reason = f"{candidates[0]['setting']} has the shortest median fit time of the CNN."
    return {
        "choice": {"best": candidates[0], "candidates": candidates, "less_accurate": [], "reason": reason}
    }


_SCORE = {"accuracy": "value", "low": "low", "high": "high"}


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
