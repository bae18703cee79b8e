"""Which study the report is about, and what is known of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cifar_pipelines.records.summary import SECTION, sections, trained
from cifar_pipelines.report.document.blocks import Blocks, Figure, Spans
from cifar_pipelines.report.figures import study_folder
from cifar_pipelines.report.parts import Parts
from cifar_pipelines.report.references import reference, with_references
from cifar_pipelines.report.sections.ranking import fastest_of_each_model


@dataclass(frozen=True)
class Study:
    """One section of the comparison: the same data, measured on the same kind of host.

    Attributes:
        title: What names data and host.
        rows: Its rows of the comparison table.
        records: Its numbered run records, the oldest first.
        parts: What the comparison wrote about it, by heading.
        verdict: What it concluded.
        folder: Where its plots lie; None where they are not found.
    """

    title: str
    rows: pd.DataFrame
    records: pd.DataFrame
    parts: Parts
    verdict: Blocks
    folder: Path | None

    @property
    def data(self) -> Mapping[str, Any]:
        """What the newest record says of the data."""
        return self.records.iloc[-1]["raw"]["data"]

    @property
    def used(self) -> pd.DataFrame:
        """The records that are in the comparison."""
        return self.records[self.records["label"].notna()]

    def of_family(self, family: str) -> pd.DataFrame:
        """The used records of one family."""
        used = self.used
        return used[used["family"] == family]

    def latest(self, family: str) -> list[tuple[str, Mapping[str, Any], Spans]]:
        """Label, newest record and reference of every model of a family."""
        newest = self.of_family(family).groupby("label", sort=True).tail(1).sort_values("label")
        return [(row["label"], row["raw"], reference([row["number"]])) for _, row in newest.iterrows()]

    def behind(self, row: pd.Series) -> Spans:
        """A reference to the records behind a row of the comparison table."""
        used = self.used
        same = (used["label"] == row["label"]) & (used["setting"] == row["setting"])
        return reference(used.loc[same, "number"])

    def best(self) -> tuple[str, Mapping[str, Any], Spans] | None:
        """Label, newest record and reference of the most accurate model; None where none was trained."""
        models = trained(self.rows)
        if models.empty:
            return None
        label = fastest_of_each_model(models).iloc[0]["label"]
        newest = self.used[self.used["label"] == label].iloc[-1]
        return label, newest["raw"], reference([newest["number"]])


@dataclass(frozen=True)
class Content:
    """All that a report is made of.

    Attributes:
        study: The study that the main text is about.
        others: The other studies.
        records: All numbered run records.
        parts: What the comparison wrote beside the studies, by heading.
        plots: Plots of the comparison by file name; those that are shown are taken out.
        reporting: The folder with the results of all runs.
        survey: What `kedro classifiers` found; None where it was not asked.
        experiments: What the experiments left behind, the newest last.
        left_out: Sentences about what is not in the comparison.
    """

    study: Study
    others: tuple[Study, ...]
    records: pd.DataFrame
    parts: Parts
    plots: dict[str, Figure]
    reporting: Path
    survey: Mapping[str, Any] | None
    experiments: tuple[Mapping[str, Any], ...]
    left_out: tuple[str, ...]


def make_studies(
    comparison_table: pd.DataFrame, records: pd.DataFrame, parts: Parts, reporting: Path
) -> tuple[Study, tuple[Study, ...]]:
    """Tells studies apart and chooses the one that the main text is about.

    Args:
        comparison_table: What `compare_runs` returned.
        records: All numbered run records.
        parts: The report of the comparison; the parts about studies are taken out.
        reporting: The folder with the results of all runs.

    Returns:
        The study with the most measurements, at a tie the one that was measured last; and the others in the
        order of the comparison.
    """
    studies = [_study(title, rows, records, parts, reporting) for title, rows in sections(comparison_table)]
    main = max(studies, key=lambda study: (len(study.rows), study.rows["latest"].max()))
    return main, tuple(study for study in studies if study is not main)


def _study(title: str, rows: pd.DataFrame, records: pd.DataFrame, parts: Parts, reporting: Path) -> Study:
    same = (records[SECTION].astype(str) == rows[SECTION].iloc[0].astype(str)).all(axis=1)
    own = records[same]
    name = title[0].upper() + title[1:]
    written = Parts(with_references(parts.take_exactly(name), own), level=3)
    verdict = written.take("Verdict")
    return Study(name, rows, own, written, verdict, study_folder(reporting, own["raw"].iloc[::-1]))
