import io
import json
import re
import sys
from pathlib import Path

import pandas as pd
import pytest
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog
from kedro.runner import SequentialRunner
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[1] / "evaluation"))
from factories import make_extraction_record, make_record, make_study

from cifar_pipelines.errors import UserError
from cifar_pipelines.pipelines.comparison import create_pipeline
from cifar_pipelines.pipelines.comparison.nodes import PLOTS, compare_runs, write_report
from cifar_pipelines.pipelines.comparison.summary import terminal_summary

CATALOG = Path(__file__).parents[2] / "conf" / "base" / "catalog_comparison.yml"


@pytest.fixture
def run(tmp_path):
    """Runs the pipeline with the project's own catalog on records in a temporary folder."""
    base = tmp_path / "conf" / "base"
    base.mkdir(parents=True)
    (base / "catalog_comparison.yml").write_text(CATALOG.read_text())
    (base / "catalog.yml").write_text(f"_reporting: {tmp_path.as_posix()}/reporting\n")
    config = OmegaConfigLoader(str(tmp_path / "conf"), base_env="base", default_run_env="base")["catalog"]

    def on(records: dict[str, object]) -> Path:
        for name, record in records.items():
            path = tmp_path / "reporting" / "run_records" / f"{name}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(record if isinstance(record, str) else json.dumps(record))
        SequentialRunner().run(create_pipeline(), DataCatalog.from_config(config))
        return tmp_path / "reporting" / "comparison"

    return on


def test_whole_pipeline_on_the_real_catalog(run):
    records = make_study(data={"fingerprint": "0000000000001e10"})
    records["exec_2x1/cut"] = json.dumps(make_record())[:300]
    folder = run(records)
    report = (folder / "report.md").read_text()
    for plot in PLOTS.values():
        assert (folder / plot).stat().st_size > 5_000
        assert f"]({plot})" in report
    assert "0000000000001e10" in report
    assert "'exec_2x1/cut' is left out: it cannot be read (JSONDecodeError)" in report
    assert "logistic_regression is a strong baseline." in report
    assert not re.search(r"\b(nan|None)\b", report.split("## Plots")[0].replace("None:", ""))
    # Each line of a table has as many cells as its heading.
    for block in re.findall(r"(?:^\|.*\n?)+", report, re.MULTILINE):
        assert len({line.count("|") - line.count("\\|") for line in block.strip().splitlines()}) == 1
    # Every run record that was used can be found from the report.
    table = pd.read_csv(folder / "comparison.csv")
    assert len(table) == 16
    assert all(run_id in report for run_id in " ".join(table["run_ids"]).split())


def test_no_records_says_how_to_make_them(run):
    with pytest.raises(UserError, match="kedro run --pipelines ingestion,features,spark_ml --env exec_2x1"):
        run({})


def test_only_unreadable_records_says_why(run):
    with pytest.raises(UserError, match=r"None of the 1 run records can be compared.*JSONDecodeError"):
        run({"cut": "{"})


def test_features_alone_still_make_a_report(run):
    report = (run({"features": make_extraction_record()}) / "report.md").read_text()
    assert "nothing to rank yet" in report and "features: kmeans_patches" in report


def test_studies_are_reported_apart():
    records = {"a": make_record, "b": lambda: make_record(data={"train_size": 20000})}
    table, left_out = compare_runs(records)
    report = write_report(table, left_out)
    assert "These are 2 separate studies" in report
    assert report.count("### Verdict") == 2


def test_folders_of_records_may_share_names():
    table, _ = compare_runs({"a": make_record}, {"a": lambda: make_record("cnn", family="bigdl")})
    assert set(table["model"]) == {"logistic_regression", "cnn"}


def test_every_node_is_named_and_needs_no_spark():
    assert {node.name for node in create_pipeline().nodes} == {
        *("compare_runs", "plot_accuracy_time", "plot_time_by_setting", "plot_speedup", "plot_resources"),
        "write_comparison_report",
    }
    later = create_pipeline(run_records=("spark_ml_records", "bigdl_cnn_records"))
    assert later.inputs() == {"spark_ml_records", "bigdl_cnn_records"}


def test_terminal_summary_has_a_line_per_model_and_setting():
    table, _ = compare_runs({name: lambda record=record: record for name, record in make_study().items()})
    console = Console(file=io.StringIO(), width=140)
    console.print(terminal_summary(table))
    text = console.file.getvalue()
    assert text.count("exec_") == 16
    assert "62.0% (57.7–66.3)" in text and "oversubscribed" in text
