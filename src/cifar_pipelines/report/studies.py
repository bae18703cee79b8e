"""Studies: what was measured on the same data and the same kind of host, with numbered run records."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from cifar_pipelines.records.ranking import fastest_of_each_model
from cifar_pipelines.records.summary import MODEL, SECTION, trained
from cifar_pipelines.report.document.blocks import Section

if TYPE_CHECKING:
    from cifar_pipelines.report.sections.verdict import Topic


@dataclass(frozen=True)
class Study:
    """What was measured on the same data and the same kind of host.

    Attributes:
        title: What names data and host.
        rows: Its rows of the comparison table, with the column `records` of `with_numbers`.
        records: Its numbered run records, the oldest first.
        folder: Where its plots lie; None where they are not found.
        verdict: What the measurements say.
        sections: What the report says of it, by key, in reading order.
        answer: The answer to the question in the report's title.
    """

    title: str
    rows: pd.DataFrame
    records: pd.DataFrame
    folder: Path | None
    verdict: "tuple[Topic, ...]"
    sections: Mapping[str, Section]
    answer: Section

    @property
    def newest(self) -> pd.Series:
        """Its newest record."""
        return self.records.iloc[-1]

    @property
    def noun(self) -> str:
        """What it is a study of, "image" or "text"."""
        return self.newest["content"]

    @property
    def used(self) -> pd.DataFrame:
        """The records that are in the comparison."""
        return self.records[self.records["label"].notna()]

    def families(self) -> list[str]:
        """The families of its trained models."""
        return sorted(set(trained(self.used)["family"]))

    def latest(self, family: str) -> pd.DataFrame:
        """The newest record of every model of a family, by label."""
        used = self.used[self.used["family"] == family]
        return used.groupby("label").tail(1).sort_values("label")

    @property
    def transferred(self) -> pd.DataFrame:
        """The newest record of every network of the comparison that was trained phase by phase, by label."""
        phased = self.used[self.used["raw"].map(lambda record: bool(record.phases)).astype(bool)]
        return phased.groupby("label").tail(1).sort_values("label")

    def best(self) -> pd.Series | None:
        """The newest record of the most accurate model; None where none was trained."""
        models = trained(self.rows)
        if models.empty:
            return None
        label = fastest_of_each_model(models).iloc[0]["label"]
        return self.used[self.used["label"] == label].iloc[-1]


def number_records(records: pd.DataFrame, comparison_table: pd.DataFrame) -> pd.DataFrame:
    """Gives every run record a number, the oldest first.

    Args:
        records: The table of `records_to_table`; not empty.
        comparison_table: What `compare_runs` made of it.

    Returns:
        The records with the columns `records` (its own number, from 1, as a tuple) and `label`: the model's name in the
        comparison, missing where the record is not in it.
    """
    ordered = records.sort_values(["created", "run_id", "record"], ignore_index=True)
    ordered["records"] = [(number,) for number in range(1, len(ordered) + 1)]
    key = [*SECTION, *MODEL, "setting", "params_digest"]
    return ordered.merge(comparison_table[[*key, "label"]].drop_duplicates(key), on=key, how="left")


def with_numbers(comparison_table: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame:
    """Adds to every row the numbers of the records behind it, oldest first, as the column `records`."""
    key = [*SECTION, "label", "setting"]
    numbers = records.groupby(key)["records"].agg(lambda numbers: tuple(chain(*numbers)))
    return comparison_table.merge(numbers, on=key, how="left")
