"""Studies: what was measured on the same data and the same kind of host, with numbered run records.

Columns of the tables of records say what most of the report needs. What only the record itself holds is read by the
functions at the end, and nowhere else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from cifar_pipelines.records.summary import MODEL, SECTION, trained
from cifar_pipelines.report.document.blocks import Section
from cifar_pipelines.report.sections.ranking import fastest_of_each_model

if TYPE_CHECKING:
    from cifar_pipelines.records.parts import Features
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
    """

    title: str
    rows: pd.DataFrame
    records: pd.DataFrame
    folder: Path | None
    verdict: "tuple[Topic, ...]"
    sections: Mapping[str, Section]

    @property
    def newest(self) -> pd.Series:
        """Its newest record."""
        return self.records.iloc[-1]

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
        The records with the columns `records` (their numbers, from 1: of a record its own) and `label`: the model's
        name in the comparison, missing where the record is not in it.
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


def class_names(record: pd.Series) -> list[str]:
    """The names of the classes, in the order of their labels."""
    return list(record["raw"].data.class_names or ())


def params_of(record: pd.Series) -> Mapping[str, Any]:
    """The parameters of a model."""
    return record["raw"].params


def features_of(record: pd.Series) -> "Features | None":
    """What a record says of its features; None for a model that reads images."""
    return record["raw"].features


def scores_by_class(record: pd.Series) -> list[Mapping[str, Any]]:
    """Class name, precision, recall, F1, ROC AUC and support of every class."""
    return record["raw"].score("per_class") or []


def cores_and_executors(record: pd.Series) -> dict[str, Any]:
    """What a setting asked for and what the executors themselves reported; None for what is not known."""
    parallelism = record["raw"].parallelism
    asked, effective = parallelism.asked, parallelism.effective
    memory = (parallelism.properties or {}).get("spark.executor.memory")
    if memory is None and asked.executor_memory_mb is not None:
        memory = f"{asked.executor_memory_mb} MB"
    return {
        "cores asked": asked.cores_max,
        "cores": effective and effective.cores,
        "executors asked": asked.executors or asked.cores_max // asked.executor_cores,
        "executors": effective and effective.executors,
        "memory": memory,
    }


def run_facts(record: pd.Series) -> dict[str, Any]:
    """Where a run ran, in words; None for what is not known."""
    parallelism = record["raw"].parallelism
    hosts = parallelism.effective and parallelism.effective.hosts
    return {
        "code revision": record["git_revision"],
        "host cores": record["host_cores"],
        "cluster": record["cluster"],
        "hosts of the executors": ", ".join(hosts or ()) or None,
        "application": parallelism.application_id,
        "log folder": parallelism.log_dir,
    }
