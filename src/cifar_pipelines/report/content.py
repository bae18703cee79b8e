"""All that a report is made of: studies with their sections, plots, and what lies in the reporting folder."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pandas as pd

from cifar_pipelines.plots.registry import comparison_plots
from cifar_pipelines.records.choice import Candidate, Choice
from cifar_pipelines.records.summary import main_study, of_section, sections, trained
from cifar_pipelines.report.author import Author
from cifar_pipelines.report.document.blocks import Block, Blocks, Section
from cifar_pipelines.report.figures import shown_figure, study_folder
from cifar_pipelines.report.sections.about import versions
from cifar_pipelines.report.sections.answer import answer
from cifar_pipelines.report.sections.deployment import deployments
from cifar_pipelines.report.sections.engines import engines
from cifar_pipelines.report.sections.ensembles import ensembles
from cifar_pipelines.report.sections.fit import fit
from cifar_pipelines.report.sections.forecasts import forecasts
from cifar_pipelines.report.sections.growth import growth
from cifar_pipelines.report.sections.leaks import leaks
from cifar_pipelines.report.sections.pairs import pairs
from cifar_pipelines.report.sections.phases import phases
from cifar_pipelines.report.sections.resources import resources, times
from cifar_pipelines.report.sections.scaling import scaling
from cifar_pipelines.report.sections.scores import accuracy, reasons, scores
from cifar_pipelines.report.sections.sentences import sentences
from cifar_pipelines.report.sections.stream import stream
from cifar_pipelines.report.sections.time import components, why
from cifar_pipelines.report.sections.training import training
from cifar_pipelines.report.sections.transfer import transfer
from cifar_pipelines.report.sections.verdict import verdict
from cifar_pipelines.report.studies import Study, number_records, with_numbers

SURVEYED = ("name", "multiclass", "probabilities", "features")


class Survey(NamedTuple):
    """What the installed Spark ML offers: its version, and the `SURVEYED` facts of every classifier, in words."""

    pyspark: str
    classifiers: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Content:
    """All that a report is made of.

    Attributes:
        studies: The studies, in the order of the comparison.
        records: All numbered run records.
        sections: What is said over all studies, by key.
        figures: Plots of the main study, by the key of the section that they belong to; a sentence where there is nothing to see.
        left_out: Sentences about what is not in the comparison.
        reporting: The folder with the results of all runs.
        survey: What Spark ML offers; None where it was not asked.
        choices: The best settings that experiments chose, the newest last.
        author: Who hands it in, and their own reasons.
    """

    studies: tuple[Study, ...]
    records: pd.DataFrame
    sections: Mapping[str, Section]
    figures: Mapping[str, Blocks]
    left_out: tuple[str, ...]
    reporting: Path
    survey: Survey | None
    choices: tuple[Choice, ...]
    author: Author

    @cached_property
    def study(self) -> Study:
        """The study with the most measurements, at a tie the one that was measured last."""
        main = main_study(pd.concat([study.rows for study in self.studies]))
        return next(study for study in self.studies if study.rows.index[0] == main.index[0])

    @property
    def others(self) -> tuple[Study, ...]:
        """The other studies."""
        return tuple(study for study in self.studies if study is not self.study)

    def section(self, key: str, title: str | None = None) -> Blocks:
        """The section of the main study or over all studies, if there is one, with its figures; `title` replaces its own."""
        section = self.study.sections.get(key) or self.sections.get(key)
        if section is not None and title is not None:
            section = replace(section, title=title)
        return (*filter(None, [section]), *self.figures.get(key, ()))


def make_content(
    comparison_table: pd.DataFrame,
    records: pd.DataFrame,
    left_out: Sequence[str],
    applications_left_out: Sequence[str],
    checked_forecasts: pd.DataFrame,
    joined_components: pd.DataFrame,
    reporting: Path,
    author: Mapping[str, Any],
    *plots: bytes,
) -> Content:
    """Puts together what the nodes of the comparison returned and what lies in the reporting folder.

    Args:
        comparison_table: What `compare_runs` returned.
        records: The table of run records that it was made of, with the column `raw`.
        left_out: Sentences about records that are not in it.
        applications_left_out: Sentences about applications that cannot be read.
        checked_forecasts: What `check_forecasts` returned.
        joined_components: What `join_applications` returned.
        reporting: The folder with the results of all runs.
        author: The block `report` of the parameters; see `Author`.
        *plots: PNG of every plot, in the order of `comparison_plots`; or none.
    """
    numbered = number_records(records, comparison_table)
    summary = with_numbers(comparison_table, numbered)
    by = Author.from_config(author)
    studies = [
        _study(title, rows, summary, numbered, joined_components, reporting, by) for title, rows in sections(summary)
    ]
    figures: dict[str, tuple[Block, ...]] = {}
    for plot, png in zip(comparison_plots(), plots, strict=bool(plots)):
        figures[plot.section] = (*figures.get(plot.section, ()), shown_figure(png, plot.caption, plot.file))
    return Content(
        studies=tuple(studies),
        records=numbered,
        sections=_by_key(growth(summary), forecasts(checked_forecasts), deployments(reporting), sentences(reporting)),
        figures=MappingProxyType(figures),
        left_out=(*left_out, *applications_left_out),
        reporting=reporting,
        survey=_survey(reporting / "spark_ml_classifiers.json"),
        author=by,
        choices=tuple(filter(None, map(_choice, sorted((reporting / "experiments").glob("*.json"))))),
    )


def _study(
    title: str,
    rows: pd.DataFrame,
    summary: pd.DataFrame,
    records: pd.DataFrame,
    joined_components: pd.DataFrame,
    reporting: Path,
    author: Author,
) -> Study:
    own = of_section(records, rows)
    models = trained(rows)
    of_models = ()
    if len(models):
        of_models = (scores(models, own), pairs(models), reasons(models, author), accuracy(models))
    folder = study_folder(reporting, own.iloc[::-1])
    made = _by_key(
        leaks(folder, models),
        *of_models,
        times(rows),
        scaling(rows, summary),
        components(rows, joined_components),
        engines(models),
        training(own),
        phases(own),
        transfer(models, own),
        fit(own),
        stream(own, reporting),
        ensembles(own, reporting),
        resources(rows),
        versions(rows),
    )
    topics = verdict(rows, own.iloc[-1]["raw"].data, lambda label: why(label, rows, joined_components))
    answered = answer(rows, own.iloc[-1]["raw"].data, joined_components)
    return Study(title[0].upper() + title[1:], rows, own, folder, topics, made, answered)


def _by_key(*made: Section | None) -> Mapping[str, Section]:
    return MappingProxyType({section.key: section for section in made if section is not None})


def _survey(file: Path) -> Survey | None:
    """Reads what `kedro classifiers` left; None where it was not asked or the file is none of its."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        listed = tuple(tuple(row[name] for name in SURVEYED) for row in content["classifiers"])
        return Survey(content["pyspark"], listed) if listed else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _choice(file: Path) -> Choice | None:
    """Reads what an experiment chose; None where it made no choice or the file is none of its."""
    try:
        choice = json.loads(file.read_text(encoding="utf-8"))["choice"]
        candidates = tuple(
            Candidate(**one | {"run_ids": tuple(one.get("run_ids", ()))}) for one in choice["candidates"]
        )
        best = next(one for one in candidates if one.setting == choice["best"]["setting"])
        return Choice(best, candidates, tuple(choice["less_accurate"]), choice["reason"], choice.get("model", ""))
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        return None
