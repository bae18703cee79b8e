"""Run records and applications that earlier versions left behind, and the tables that these made of them."""

import json
from pathlib import Path

import pytest

from cifar_pipelines.families import present_names
from cifar_pipelines.records.columns import records_to_table
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.speedup import add_scaling
from cifar_pipelines.records.summary import summarise
from cifar_pipelines.report.sections.time import join_applications

DATA = Path(__file__).parent / "data"
RECORDS, APPLICATIONS, TABLES = (
    json.loads((DATA / f"former_{name}.json").read_text()) for name in ("records", "applications", "tables")
)
GONE = {"fit_repeats", "driver_cpu_s", "task_run_s", "read_s"}


def rows(table):
    return json.loads(table.to_json(orient="records", date_format="iso", double_precision=15))


def today(row):
    """A row of an earlier version, with today's name of the family and without the columns that are gone."""
    kept = {name: value for name, value in row.items() if name not in GONE}
    return kept | ({"family": present_names().get(row["family"], row["family"])} if "family" in row else {})


def those_of(row, former):
    """The cells of a row in the columns that there were."""
    return {name: row[name] for name in today(former)}


@pytest.fixture(scope="module")
def table():
    read, left_out = records_to_table(RECORDS)
    assert not left_out
    return read


@pytest.fixture(scope="module")
def summary(table):
    return add_scaling(summarise(table)[0])


@pytest.mark.parametrize("name", RECORDS)
def test_a_former_record_is_written_as_it_was_but_for_the_name_of_its_family(name):
    record = RunRecord.from_json(RECORDS[name])
    assert record.family in ("features", "spark_ml", "bigdl_cnn") and not record.job_groups
    assert record.to_json() == RECORDS[name] | {"family": record.family}


@pytest.mark.parametrize("which", ["table", "summary"])
def test_former_records_make_the_tables_that_they_made(which, table, summary):
    found = rows({"table": table, "summary": summary}[which])
    former = TABLES[which]
    assert [those_of(row, old) for row, old in zip(found, former, strict=True)] == list(map(today, former))
    assert set(found[0]) - set(former[0]) == {"job_groups", "chance", "content", "judged_on", "judged_size"}


def former_components(components):
    """The rows without what was not told apart from the driver's other time."""
    assert not components["driver_training"].any()
    return rows(components.drop(columns="driver_training"))


def test_former_applications_are_joined_as_they_were(summary):
    loaders = {name: lambda content=content: content for name, content in APPLICATIONS.items()}
    components, _, left_out = join_applications(loaders, summary)
    assert not left_out and former_components(components) == TABLES["components"]


def test_job_groups_with_ids_are_joined_as_those_with_labels(summary):
    """The same runs, as if their records and applications had been written with ids."""
    ids = {}
    applications = json.loads(json.dumps(APPLICATIONS))
    for application in applications.values():
        for group in application["groups"]:
            ids[application["run_id"], group["label"]] = group["group"] = f"id-{len(ids)}"
            group["label"] += ", in other words"
    records = json.loads(json.dumps(RECORDS))
    for record in records.values():
        extraction = "extract_s" in record["timings"]
        label = f"Extracting {record['model']} from 1500 images" if extraction else f"Training {record['model']}"
        record["job_groups"] = [ids[record["run_id"], label]]
    table, _ = records_to_table(records)
    loaders = {name: lambda content=content: content for name, content in applications.items()}
    components, _, _ = join_applications(loaders, add_scaling(summarise(table)[0]))
    former = [{name: cell for name, cell in row.items() if name != "group"} for row in TABLES["components"]]
    assert former_components(components.drop(columns="group")) == former
    assert set(components["group"]) <= set(ids.values())
