import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from tests.factories.records import (
    make_extraction_record,
    make_grown_study,
    make_judged_record,
    make_record,
    make_study,
)
from tests.factories.report import loaders, run_comparison

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.families import STUDIES, family_names
from cifar_pipelines.pipelines.comparison import create_pipeline
from cifar_pipelines.pipelines.comparison.nodes import compare_runs
from cifar_pipelines.plots.registry import comparison_plots
from cifar_pipelines.terminal.comparison import terminal_summary


def test_whole_pipeline_on_the_real_catalog(tmp_path):
    records = make_study(data={"fingerprint": "0000000000001e10"})
    records["exec_2x1/cut"] = json.dumps(make_record())[:300]
    folder = run_comparison(tmp_path, run_records=records)
    report = (folder / "report.md").read_text()
    files = [plot.file for plot in comparison_plots()]
    assert sorted(files) == [
        *("accuracy_size.png", "accuracy_time.png", "components.png", "learning_curves.png", "resources.png"),
        *("speedup.png", "time_by_setting.png", "timeline.png"),
    ]
    assert all((folder / file).stat().st_size > 5_000 for file in files)
    shown = {file for file in files if f"]({file})" in report}
    assert set(files) - shown == {"components.png", "learning_curves.png", "timeline.png"}  # there is nothing to see
    assert "**Learning curves.** No network was trained yet." in report
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
    # The same as PDF and as a page with all plots in it.
    assert (folder / "report.pdf").read_bytes().startswith(b"%PDF")
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == len(shown)
    assert "0000000000001e10" in page and "exec_2x1/cut" in page.replace("<wbr>", "")


def test_outcomes_that_look_like_numbers_survive_the_table(tmp_path):
    """The hexadecimal digits of these are 1111... and 7777..., which CSV would take for numbers."""
    records = {
        "low": make_judged_record("naive_bayes", np.resize([0, 0, 0, 1], 500)),
        "high": make_judged_record("random_forest", np.resize([0, 1, 1, 1], 500)),
        "old": make_record(accuracy=0.5),
    }
    report = (run_comparison(tmp_path, run_records=records) / "report.md").read_text()
    assert not re.search(r"\b(nan|None)\b", report.replace("None:", ""))
    for block in re.findall(r"(?:^\|.*\n?)+", report, re.MULTILINE):
        assert len({line.count("|") - line.count("\\|") for line in block.strip().splitlines()}) == 1
    part = _part(report, "### Pairs of models on the same test images")
    assert "| random_forest | naive_bayes | +50.00 (+45.60 to +54.40) | 250 | 0 | < 0.0001 |" in part
    assert (
        "- random_forest and logistic_regression; logistic_regression and naive_bayes: the run record of "
        "logistic_regression holds no outcomes by image" in part
    )
    scores = _part(report, "### Scores of each model at its fastest setting")
    assert "| 1.200 | 0.040 | 0.930 |" in scores and "| 1.200 | – | 0.930 |" in scores


def test_no_records_says_how_to_make_them(tmp_path):
    with pytest.raises(UserError, match="kedro run --pipelines ingestion,features,spark_ml --env exec_2x1"):
        run_comparison(tmp_path, run_records={})


def test_only_unreadable_records_says_why(tmp_path):
    with pytest.raises(UserError, match=r"None of the run records \(1\) can be compared.*JSONDecodeError"):
        run_comparison(tmp_path, run_records={"cut": "{"})


def test_features_alone_still_make_a_report(tmp_path):
    report = (run_comparison(tmp_path, run_records={"features": make_extraction_record()}) / "report.md").read_text()
    assert "nothing to rank yet" in report and "features: kmeans_patches" in report


def test_studies_are_reported_apart(tmp_path):
    report = (
        run_comparison(tmp_path, run_records={"a": make_record(), "b": make_record(data={"train_size": 20000})})
        / "report.md"
    ).read_text()
    assert "These are 2 separate studies" in report
    assert report.count("### Verdict") == 2


def test_folders_of_records_may_share_names():
    table, *_ = compare_runs({"a": make_record}, {"a": lambda: make_record("cnn", family="bigdl")})
    assert set(table["model"]) == {"logistic_regression", "cnn"}


def test_every_node_is_named_and_needs_no_spark():
    assert {node.name.removeprefix("comparison.") for node in create_pipeline().nodes} == {
        *(
            "compare_runs",
            "plot_accuracy_time",
            "plot_accuracy_size",
            "plot_time_by_setting",
            "plot_speedup",
            "plot_resources",
        ),
        *("plot_all_histories", "check_forecasts", "join_applications", "plot_components", "plot_timeline"),
        *("select_main_study", "make_report_content", "write_comparison_report", "write_comparison_files"),
    }
    announced = {f"{name}_run_records" for name in (*family_names(), *STUDIES)}
    assert create_pipeline().inputs() == announced | {
        *("fit_forecasts", "applications", "run_records", "reporting_folder", "params:report")
    }


def test_terminal_summary_has_a_line_per_model_and_setting():
    text = _printed(make_study(), width=140)
    assert text.count("exec_") == 16
    assert "62.0% (57.7–66.3)" in text and "oversubscribed" in text


def test_terminal_summary_fits_long_names_into_80_columns():
    records = make_grown_study()
    records["exec_2x1/torch"]["resumed_after_epoch"] = 2
    text = _printed(records, width=80)
    lines = [line.rstrip() for line in text.splitlines()]
    assert lines.count("airbench_torch_distributor") == 2  # one in each section, whole
    assert max(map(len, lines)) <= 80 and "…" not in text
    assert "oversubscribed" in text and "resumed, one" in text
    assert text.count("Models and parallelism settings") == 2


def _printed(records, width):
    console = Console(file=io.StringIO(), width=width)
    console.print(terminal_summary(compare_runs(loaders(records))[0]))
    return console.file.getvalue()


def _part(report, heading):
    """The first part of the report with that heading, with what is below it."""
    level = heading.split()[0]
    return re.split(rf"\n#{{1,{len(level)}}} ", report.split(f"\n{heading}\n")[1])[0]


def test_networks_stand_beside_the_models_of_spark_ml(tmp_path):
    records = make_grown_study()
    records["exec_2x1/bigdl"]["resumed_after_epoch"] = 2
    records["exec_2x2/torch"]["restarts"] = 1
    folder = run_comparison(tmp_path, run_records=records)
    report = (folder / "report.md").read_text()
    assert not re.search(r"\b(nan|None)\b", report.replace("None:", ""))
    for block in re.findall(r"(?:^\|.*\n?)+", report, re.MULTILINE):
        assert len({line.count("|") - line.count("\\|") for line in block.strip().splitlines()}) == 1
    scores = _part(report, "### Scores of each model at its fastest setting")
    assert (
        "| airbench_bigdl | 80.0%" in scores
        and "**Input of airbench_torch_distributor and airbench_bigdl:** images." in scores
    )
    # Both engines train the same network for the same reasons.
    reasons = _part(report, "### Why these models")
    assert reasons.count("airbench learns in few steps.") == 1
    assert "**airbench_bigdl** by BigDL Orca 2.4.0" in reasons
    times = _part(report, "### Time by model and setting")
    assert times.count("resumed, one timing") == times.count("restarted, one timing") == 1
    assert "| airbench_torch_distributor | exec_2x2 |" in times
    # The table is scalars alone; learning curves lie beside it.
    table = pd.read_csv(folder / "comparison.csv")
    assert not table.astype(str).apply(lambda column: column.str.contains(r"[\[{]")).any().any()
    curves = pd.read_csv(folder / "learning_curves.csv")
    assert len(curves) == 9 * 4 and set(curves["train_size"]) == {10000, 20000}
    marked = curves.loc[curves["put_together"], ["label", "setting"]].drop_duplicates()
    assert marked.to_numpy().tolist() == [["airbench_bigdl", "exec_2x1"], ["airbench_torch_distributor", "exec_2x2"]]
