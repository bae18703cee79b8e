"""Made-up results on disk for the tests of the report."""

import io
import json
from pathlib import Path

from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog
from kedro.runner import SequentialRunner
from PIL import Image
from tests.factories.records import make_grown_study

from cifar_pipelines.pipelines.comparison import create_pipeline
from cifar_pipelines.pipelines.comparison.nodes import compare_runs
from cifar_pipelines.plots.registry import comparison_plots
from cifar_pipelines.report.chapters.laboratory.questions import answer_questions
from cifar_pipelines.report.content import Content, make_content
from cifar_pipelines.report.document.blocks import (
    Bullets,
    Document,
    Figure,
    Heading,
    Paragraph,
    Table,
    flat,
    plain,
    walk,
)
from cifar_pipelines.report.sections.forecasts import check_forecasts
from cifar_pipelines.report.sections.time import join_applications

CATALOG = Path(__file__).parents[2] / "conf" / "base" / "catalog_comparison.yml"
SURVEY = {
    "pyspark": "3.5.9",
    "classifiers": [
        {"name": "NaiveBayes", "multiclass": "natively", "probabilities": "yes", "features": "refused: <negative>"},
        {"name": "LinearSVC", "multiclass": "through OneVsRest", "probabilities": "no", "features": "any"},
    ],
}  # fmt: skip
LARGER = {"train_size": 20000, "fingerprint": "f" * 16}  # changes of the data of a record


def make_png(width=60, height=40, colour=(0, 90, 140)) -> bytes:
    """A PNG image of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, "png")
    return buffer.getvalue()


def run_comparison(folder: Path, **contents) -> Path:
    """Runs the pipeline with the project's own catalog on files in a folder; returns where the report lies.

    Args:
        folder: An empty folder.
        contents: By the name of a folder of the reporting folder: what its files hold, by name; a text is written
            as it is.
    """
    base = folder / "conf" / "base"
    base.mkdir(parents=True)
    (base / "catalog_comparison.yml").write_text(CATALOG.read_text())
    (base / "catalog.yml").write_text(f"_reporting: {folder.as_posix()}/reporting\n")
    config = OmegaConfigLoader(str(folder / "conf"), base_env="base", default_run_env="base")["catalog"]
    for kind, files in contents.items():
        for name, content in files.items():
            path = folder / "reporting" / kind / f"{name}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content if isinstance(content, str) else json.dumps(content))
    catalog = DataCatalog.from_config(config)
    catalog["params:report"] = {}
    SequentialRunner().run(create_pipeline(), catalog)
    return folder / "reporting" / "comparison"


def loaders(contents) -> dict:
    """Functions that load contents, by name, as a folder of JSON files gives them."""
    return {name: lambda content=content: content for name, content in contents.items()}


def content_of(records, reporting=Path("nowhere"), applications=(), forecasts=(), plots=True, author=()) -> Content:
    """All that a report on records by name is made of, as the comparison pipeline makes it."""
    table, _, left_out, compared = compare_runs(loaders(records))
    components, _, applications_left_out = join_applications(loaders(dict(applications)), table)
    checked = check_forecasts(loaders(dict(forecasts)), compared)
    drawn = [make_png() for _ in comparison_plots()] if plots else []
    return make_content(
        table, compared, left_out, applications_left_out, checked, components, reporting, dict(author), *drawn
    )


def sections_of(records, **further) -> dict:
    """The sections of the study with the most measurements, by key."""
    return content_of(records, **further).study.sections


def make_document(records, reporting: Path, **further) -> Document:
    """The laboratory's report on records by name."""
    return answer_questions(content_of(records, reporting, **further))


def rows_of(blocks) -> list[dict[str, str]]:
    """The rows of the first table among blocks, each by heading."""
    table = next(block for block in blocks if isinstance(block, Table))
    header = [plain(cell) for cell in table.header]
    return [dict(zip(header, map(plain, row), strict=True)) for row in table.rows]


def items_of(blocks) -> list[str]:
    """The text of the items of all lists among blocks."""
    lists = [block for block in blocks if isinstance(block, Bullets)]
    return [plain(item) for block in lists for item in block.items]


def text_of(blocks) -> str:
    """The text of blocks, one block or row a line."""
    lines = []
    for block in flat(blocks):
        if isinstance(block, Heading):
            lines.append(block.title)
        elif isinstance(block, Paragraph):
            lines.append(plain(block.spans))
        elif isinstance(block, Bullets):
            lines += map(plain, block.items)
        elif isinstance(block, Table):
            lines += [" | ".join(plain(cell) for cell in row) for row in (block.header, *block.rows)]
        elif isinstance(block, Figure):
            lines.append(f"<{block.name}: {block.caption}>")
    return "\n".join(lines)


def sections(document):
    """The blocks of every section, by key."""
    return {section.key: section.blocks for section in document.blocks}


def tables_in(blocks):
    return [block for block in walk(blocks) if isinstance(block, Table)]


def figures_in(blocks):
    return {block.name for block in walk(blocks) if isinstance(block, Figure)}


def missing_in(blocks):
    missing = [block for block in walk(blocks) if isinstance(block, Paragraph) and block.missing]
    return [f"{plain(block.spans)} {block.command}" for block in missing]


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
        examples = ("right_examples.png", "wrong_examples.png")
        drawn = ("diagram.png",) if record.get("history") else ()
        for file in ("metrics.json", "confusion_matrix.png", "roc.png", "confidence.png", *examples, *drawn):
            _write(model / file / record["run_id"] / file, make_png())
    if any(record["family"] == "bigdl_cnn" for record in records.values()):
        choice = json.dumps(make_experiment(records)).encode()
        _write(reporting / "experiments" / "2026-11-20T12.00.00Z.json", choice)


def make_experiment(records, model="airbench_bigdl") -> dict:
    """What an experiment on these records leaves behind; it chose the setting with the shortest fit of a model."""
    candidates = [
        {
            "setting": record["parallelism"]["setting"],
            "fit_s": record["timings"]["fit_s"][0],
            "repeats": 1,
            "run_ids": [record["run_id"]],
            **{name: record["metrics"]["accuracy"][key] for name, key in _SCORE.items()},
        }
        for record in records.values()
        if record["model"] == model
    ]
    candidates.sort(key=lambda one: one["fit_s"])
    reason = f"{candidates[0]['setting']} has the shortest median fit time of the CNN."
    choice = {"best": candidates[0], "candidates": candidates, "less_accurate": [], "reason": reason, "model": model}
    return {"choice": choice}


_SCORE = {"accuracy": "value", "low": "low", "high": "high"}


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
