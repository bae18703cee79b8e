"""The whole report: which questions it answers, in which order, from what."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cifar_pipelines.report.chapters.laboratory import appendix, data, models, settings
from cifar_pipelines.report.document.blocks import (
    Block,
    Blocks,
    Document,
    Figure,
    Heading,
    Span,
    from_markdown,
    plain,
    png_size,
)
from cifar_pipelines.report.parts import Parts
from cifar_pipelines.report.references import number_records
from cifar_pipelines.report.studies import Content, make_studies

Answer = Callable[[Content], Blocks]
QUESTIONS: tuple[tuple[str, str, Answer], ...] = (
    ("A1", "How are the classes distributed in the complete data set?", data.complete_data),
    ("A2", "How are they distributed in the selected subset?", data.selected_data),
    ("A3", "How was the subset selected?", data.subset),
    ("A4", "How were features extracted, and how fast?", data.features),
    ("A5", "Which classifiers does the installed Spark ML offer?", models.survey),
    ("A6", "Which classifiers were selected, and why?", models.selected_classifiers),
    ("A7", "How good are the models?", models.metrics),
    ("A8", "Which parallelism settings were used?", settings.settings),
    ("A9", "Which setting did best, and why?", settings.results_by_setting),
    ("A10", "Where is parallelism used in the code?", settings.parallelism),
    ("A11", "Which CNN was trained, and why these layers?", models.network),
    ("A12", "How did the CNN do under the settings, by either engine?", models.engines),
    ("A13", "What did more images give, with the best setting?", models.more_images),
    ("A14", "How accurate are all models, and how long did they train?", settings.all_models),
    ("A15", "Which is best in accuracy, in time and in resources?", settings.the_best),
)
REST: tuple[tuple[str, Answer], ...] = (
    ("Further findings of the comparison", appendix.further),
    ("Other studies", appendix.other_studies),
    ("What was left out, and why", appendix.left_out),
    ("How to read the tables", appendix.reading),
    ("Versions, host and code", appendix.versions),
    ("Where every number comes from", appendix.sources),
)
# Parts of the comparison that are not asked for by name go to the question that they are about.
PLACES = {
    "A7": r".*(pairs of models|paired|statisti|significan|tell.* apart|mcnemar|calibrat)",
    "A9": r".*(scaling|speed-up|amdahl|gustafson|component|where the time|bottleneck)",
    "A13": r".*predicted before",
}


def make_report(
    comparison_report: str,
    comparison_table: pd.DataFrame,
    left_out: Sequence[str],
    records: Mapping[str, Callable[[], dict] | dict],
    plots: Mapping[str, bytes],
    reporting: Path,
) -> Document:
    """Makes the report.

    Args:
        comparison_report: Markdown that the comparison wrote.
        comparison_table: Its table.
        left_out: Sentences about what is not in the table.
        records: Run records, or functions that load one, by name.
        plots: Plots of the comparison, PNG by file name.
        reporting: The folder with the results of all runs: plots, survey of classifiers, experiments.

    Returns:
        The report.
    """
    blocks = from_markdown(comparison_report, plots.get)
    numbered = number_records(records, comparison_table)
    parts = Parts(blocks, level=2)
    title = next((plain(block.spans) for block in parts.lead if isinstance(block, Heading)), "Report")
    study, others = make_studies(comparison_table, numbered, parts, reporting)
    content = Content(
        study=study,
        others=others,
        records=numbered,
        parts=parts,
        plots=_plots(parts, plots),
        reporting=reporting,
        survey=_json(reporting / "spark_ml_classifiers.json"),
        experiments=tuple(filter(None, map(_json, sorted((reporting / "experiments").glob("*.json"))))),
        left_out=tuple(left_out),
    )
    date = f"{numbered['created'].max():%Y-%m-%d}"
    return Document(title, date, _answers(content) + _rest(content), appendix.about(content))


def _answers(content: Content) -> Blocks:
    blocks: list[Block] = []
    for name, question, answer in QUESTIONS:
        blocks += [_section(f"{name}. {question}"), *answer(content)]
        if name in PLACES:
            blocks += content.study.parts.take_whole(PLACES[name])
            blocks += content.parts.take_whole(PLACES[name])
    return tuple(blocks)


def _rest(content: Content) -> Blocks:
    # Backwards, because the first is what no other one asked for.
    made = {title: answer(content) for title, answer in reversed(REST)}
    return tuple(block for title, _ in REST if made[title] for block in (_section(title), *made[title]))


def _section(title: str) -> Heading:
    return Heading(1, (Span(title),))


def _plots(parts: Parts, plots: Mapping[str, bytes]) -> dict[str, Figure]:
    """The plots by file name, with the captions that the comparison gave them."""
    shown = {block.name: block for block in parts.take("Plots") if isinstance(block, Figure)}
    return {
        name: shown.get(name) or Figure(png, name.removesuffix(".png").replace("_", " "), name)
        for name, png in plots.items()
        if png_size(png)
    }


def _json(file: Path) -> dict[str, Any] | None:
    """Reads a JSON object; one that cannot be read is not there."""
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
