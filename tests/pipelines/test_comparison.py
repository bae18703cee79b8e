import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog
from kedro.runner import SequentialRunner
from rich.console import Console
from tests.factories.records import (
    make_cnn_record,
    make_extraction_record,
    make_grown_study,
    make_judged_record,
    make_record,
    make_study,
)
from tests.factories.report import content_of, items_of, loaders, rows_of, sections_of, text_of

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.pipelines.comparison import create_pipeline
from cifar_pipelines.pipelines.comparison.nodes import compare_runs
from cifar_pipelines.plots.registry import comparison_plots
from cifar_pipelines.terminal.comparison import terminal_summary

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
    files = [plot.file for plot in comparison_plots()]
    assert sorted(files) == [
        *("accuracy_time.png", "components.png", "learning_curves.png", "resources.png"),
        *("speedup.png", "time_by_setting.png", "timeline.png"),
    ]
    for file in files:
        assert (folder / file).stat().st_size > 5_000
        assert f"]({file})" in report
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
    assert page.count("data:image/png;base64,") == len(files)
    assert "0000000000001e10" in page and "exec_2x1/cut" in page.replace("<wbr>", "")


def test_outcomes_that_look_like_numbers_survive_the_table(run):
    """The hexadecimal digits of these are 1111... and 7777..., which CSV would take for numbers."""
    records = {
        "low": make_judged_record("naive_bayes", np.resize([0, 0, 0, 1], 500)),
        "high": make_judged_record("random_forest", np.resize([0, 1, 1, 1], 500)),
        "old": make_record(accuracy=0.5),
    }
    report = (run(records) / "report.md").read_text()
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


def test_no_records_says_how_to_make_them(run):
    with pytest.raises(UserError, match="kedro run --pipelines ingestion,features,spark_ml --env exec_2x1"):
        run({})


def test_only_unreadable_records_says_why(run):
    with pytest.raises(UserError, match=r"None of the 1 run records can be compared.*JSONDecodeError"):
        run({"cut": "{"})


def test_features_alone_still_make_a_report(run):
    report = (run({"features": make_extraction_record()}) / "report.md").read_text()
    assert "nothing to rank yet" in report and "features: kmeans_patches" in report


def test_studies_are_reported_apart(run):
    report = (
        run({"a": make_record(), "b": make_record(data={"train_size": 20000})}) / "report.md"
    ).read_text()
    assert "These are 2 separate studies" in report
    assert report.count("### Verdict") == 2


def test_folders_of_records_may_share_names():
    table, *_ = compare_runs({"a": make_record}, {"a": lambda: make_record("cnn", family="bigdl")})
    assert set(table["model"]) == {"logistic_regression", "cnn"}


def test_every_node_is_named_and_needs_no_spark():
    assert {node.name for node in create_pipeline().nodes} == {
        *("compare_runs", "plot_accuracy_time", "plot_time_by_setting", "plot_speedup", "plot_resources"),
        *("plot_all_histories", "check_forecasts", "join_applications", "plot_components", "plot_timeline"),
        *("make_report_content", "write_comparison_report", "write_comparison_files"),
    }
    later = create_pipeline(run_records=("spark_ml_records", "bigdl_cnn_records"))
    assert later.inputs() == {
        *("fit_forecasts", "applications", "spark_ml_records", "bigdl_cnn_records", "reporting_folder")
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


def test_networks_stand_beside_the_models_of_spark_ml(run):
    records = make_grown_study()
    records["exec_2x1/bigdl"]["resumed_after_epoch"] = 2
    records["exec_2x2/torch"]["restarts"] = 1
    folder = run(records)
    report = (folder / "report.md").read_text()
    assert not re.search(r"\b(nan|None)\b", report.replace("None:", ""))
    for block in re.findall(r"(?:^\|.*\n?)+", report, re.MULTILINE):
        assert len({line.count("|") - line.count("\\|") for line in block.strip().splitlines()}) == 1
    scores = _part(report, "### Scores of each model at its fastest setting")
    assert "| airbench_bigdl | images |" in scores and "| naive_bayes | kmeans_patches" in scores
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
    assert marked.to_numpy().tolist() == [
        ["airbench_bigdl", "exec_2x1"],
        ["airbench_torch_distributor", "exec_2x2"],
    ]


def _engines(**torch_distributor):
    records = {
        "a": make_cnn_record("bigdl", images_per_s=1000, overhead_s=34),
        "b": make_cnn_record("torch_distributor", **torch_distributor),
    }
    return sections_of(records)["engines"].blocks


def test_engines_stand_side_by_side():
    blocks = _engines(images_per_s=1200, overhead_s=12)
    assert list(rows_of(blocks)[0].values()) == [
        *("airbench", "exec_2x1", "BigDL Orca 2.4.0", "80.0% (76.5% to 83.5%)", "76", "1,000", "34", "2 x 1"),
        *("3.21", "0.456 (of 250)", "one timing", "[r1]"),
    ]
    distributor, (said,) = "TorchDistributor (Spark 3.5.9)", items_of(blocks)
    assert f"{distributor} trained 20% more images/s than BigDL Orca 2.4.0 (1,200 against 1,000)" in said
    assert f"{distributor} had less overhead than BigDL Orca 2.4.0: 12 s against 34 s" in said
    assert "Marked" not in said and "precision" not in said


@pytest.mark.parametrize(
    ("images_per_s", "tie"), [(1000, True), (1049, True), (1050, False), (953, True), (951, False)]
)
def test_speeds_closer_than_five_per_cent_are_a_tie(images_per_s, tie):
    (said,) = items_of(_engines(images_per_s=images_per_s, overhead_s=36))
    assert ("A tie in training speed" in said) is tie
    assert ("more images/s than" in said) is not tie
    assert "Overhead is a tie (34 s against 36 s)" in said


def test_what_makes_a_comparison_of_engines_doubtful_is_said():
    (said,) = items_of(_engines(precision="fp32", restarts=1, host_load={"other_cpu_share": 0.3}))
    assert "different precision (BigDL Orca 2.4.0: bf16; TorchDistributor (Spark 3.5.9): fp32)" in said
    assert "Marked: TorchDistributor (Spark 3.5.9): busy host, restarted." in said


def test_engines_are_compared_only_on_the_same_work():
    (other,) = items_of(_engines(params={"recipe": {"epochs": 99}}))
    assert "different parameters, so they are not compared" in other and "images/s than" not in other
    alone = text_of(sections_of({"a": make_cnn_record()})["engines"].blocks)
    assert "All were trained by BigDL Orca 2.4.0" in alone
    records = {"a": make_cnn_record(), "b": make_cnn_record("torch_distributor")}
    elsewhere = sections_of(records | {"c": make_cnn_record(setting=(2, 2))})["engines"].blocks
    assert "airbench, exec_2x2. Trained by BigDL Orca 2.4.0 only." in items_of(elsewhere)
    assert "engines" not in sections_of({"a": make_record()})


def test_engines_without_measurements_are_not_ranked():
    blocks = _engines(history=None, timings={"engine_overhead_s": None}, prediction=None, workers=None)
    (said,) = items_of(blocks)
    assert "The speed of training was not recorded for every engine." in said
    assert "Overhead was not recorded for every engine." in said
    assert list(rows_of(blocks)[1].values())[5:10] == ["–"] * 5


LARGER = {"train_size": 20000, "fingerprint": "f" * 16}


def _growth(records):
    """The only sub-section of the section about growth."""
    _, part = content_of(records).sections["growth"].blocks
    return part


def _grown(small, large, **both):
    """That of one model with 10,000 and with 20,000 images."""
    records = {
        "small": make_record(accuracy=small, fit_s=(10, 10.2), **both),
        "large": make_record(accuracy=large, fit_s=(25, 25.5), data=LARGER, **both),
    }
    return _growth(records)


def test_more_training_images_are_compared_apart():
    part = _grown(0.6, 0.7)
    assert part.title == "Synthetic, seed 42, 500 test images, host with 2 cores, embedded cluster"
    assert [list(row.values()) for row in rows_of(part.blocks)] == [
        [
            *("logistic_regression", "exec_2x1", "10,000", "60.0% (55.7% to 64.3%)", "10.1 (10 to 10.2)", ""),
            "[r2]",
        ],
        [
            *("logistic_regression", "exec_2x1", "20,000", "70.0% (66.0% to 74.0%)", "25.2 (25 to 25.5)", ""),
            "[r1]",
        ],
    ]
    (said,) = items_of(part.blocks)
    assert "20,000 instead of 10,000 images: accuracy 10.0 points higher, 2.50 times the fit time." in said
    assert "The intervals do not overlap." in said


def test_a_gain_within_the_intervals_is_not_shown():
    (said,) = items_of(_grown(0.62, 0.6).blocks)
    assert "accuracy 2.0 points lower" in said
    assert "The intervals overlap, so a difference is not shown with 500 test images." in said
    assert "the same accuracy, 2.50 times" in text_of(_grown(0.6, 0.6).blocks)
    busy = text_of(_grown(0.6, 0.7, host_load={"other_cpu_share": 0.3}).blocks)
    assert "2.50 times the fit time (marked: busy host)." in busy


@pytest.mark.parametrize(
    "other",
    [
        {"setting": (2, 2)},
        {"host_cores": 8},
        {"data": {"seed": 43}},
        {"data": {"test_size": 1000}},
        {"data": {"source": "cifar10"}},
        {"features": {"precision": "fp32"}},
        {"parallelism": {"effective": {"embedded": False, "master": "spark://lab:7077"}}},
        {"model": "naive_bayes"},
        {"family": "cnn"},
    ],
)
def test_only_the_same_work_is_compared_over_sizes(other):
    content = content_of(
        {"a": make_record(), "b": make_record(**other | {"data": LARGER | other.get("data", {})})}
    )
    accuracies = [study.verdict[0].text for study in content.studies]
    assert len(accuracies) == 2 and all("No other model was trained." in text for text in accuracies)
    assert "growth" not in content.sections


def test_other_parameters_are_not_compared_over_sizes():
    records = {"a": make_record(), "b": make_record(params={"maxIter": 5}, data=LARGER)}
    text = text_of(_growth(records).blocks)
    assert "Trained with different parameters on 10,000 and 20,000 images, so not compared." in text
    assert "points" not in text and "|" not in text
    largest = {"train_size": 40000, "fingerprint": "e" * 16}
    text = text_of(_growth(records | {"c": make_record(data=largest, accuracy=0.9)}).blocks)
    assert "40,000 instead of 10,000 images: accuracy 30.0 points higher" in text
    assert "| 40,000 |" in text and "20,000" not in text


def test_the_newest_of_the_same_size_counts():
    again = make_record(accuracy=0.3, data={"fingerprint": "e" * 16}, created="2026-11-21T10:00:00Z")
    larger = make_record(accuracy=0.7, data=LARGER)
    text = text_of(_growth({"old": make_record(), "new": again, "large": larger}).blocks)
    assert "accuracy 40.0 points higher" in text and "10.0 points" not in text


def test_growth_names_a_model_as_its_fullest_section_does():
    mobile = make_record(features={"extractor": "torchvision:mobilenet_v2"})
    records = {"a": make_record(), "b": mobile, "c": make_record(data=LARGER)}
    text = text_of(_growth(records).blocks)
    assert "logistic_regression on kmeans_patches, exec_2x1." in text and "mobilenet" not in text
