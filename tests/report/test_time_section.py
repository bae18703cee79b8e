import json
import re
import uuid

import pandas as pd
import pytest
from tests.factories.records import make_cnn_record, make_extraction_record, make_grown_study, make_record, make_study
from tests.factories.report import content_of, items_of, loaders, rows_of, run_comparison

from cifar_pipelines.event_log.component_names import COMPONENTS
from cifar_pipelines.pipelines.comparison.nodes import compare_runs
from cifar_pipelines.plots.of_components import plot_components, plot_timeline
from cifar_pipelines.records.summary import main_study, of_section
from cifar_pipelines.report.document.blocks import plain
from cifar_pipelines.report.sections.time import join_applications

HEADING = "### Where the time went"


def make_group(record, wall_s=None, **core_s):
    """A job group of a run record, which is told its id; what `core_s` does not name is JVM compute."""
    group = uuid.uuid4().hex
    record["job_groups"] = [*record.get("job_groups", ()), group]
    timings = record["timings"]
    wall_s = wall_s or timings["fit_s" if record["metrics"] else "extract_s"][0]
    cores = record["parallelism"]["asked"]["cores_max"]
    total = wall_s * cores
    parts = core_s | {"jvm_compute": total - sum(core_s.values())}
    return {
        "group": group,
        "label": f"About {record['model']}",
        "wall_s": round(wall_s, 3),
        "cores": cores,
        "core_s": round(total, 3),
        "jobs": 4,
        "tasks": 8,
        "components": {
            name: {"core_s": round(value, 3), "seconds": round(value / cores, 3), "share": round(value / total, 4)}
            for name, value in parts.items()
        },
        "cpu": {"jvm_s": 3.0, "python_s": None, "share_of_core_s": 0.61},
        "skew": {"stage": 3, "tasks": 4, "longest_s": 2.0, "median_s": 1.0, "ratio": 2.0},
        "memory": [],
    }


def make_application(run_id, setting, groups):
    return {
        "schema_version": 1,
        "run_id": run_id,
        "setting": setting,
        "application_id": f"app-{run_id[:10]}",
        "spark_version": "3.5.9",
        "log": "logs/run/event_log/app",
        "finished": True,
        "notes": [],
        "application": {},
        "groups": groups,
        "timeline": {
            "wall_s": 60.0,
            "lanes": [["0", 0], ["0", 1]],
            "labels": ["no job group", *(group["label"] for group in groups)],
            "spans": [[lane, 5.0 + 6 * i, 10.0 + 6 * i, i] for i in range(len(groups) + 1) for lane in (0, 1)],
        },
    }


def make_applications(records, **core_s):
    """One application per run id and setting of the records."""
    runs = {}
    for record in records.values():
        key = record["run_id"], record["parallelism"]["setting"]
        runs.setdefault(key, []).append(make_group(record, **core_s))
    return {f"{setting}/{run}": make_application(run, setting, groups) for (run, setting), groups in runs.items()}


def joined(records, applications):
    table, *_ = compare_runs(loaders(records))
    return table, *join_applications(loaders(applications), table)


def section_of(records, applications):
    """The blocks of the section about components."""
    return content_of(records, applications=applications).study.sections["components"].blocks


def told_of(records, applications):
    """What the study's verdict says."""
    return [topic.text for topic in content_of(records, applications=applications).study.verdict]


def part_of(report):
    return report.split(f"{HEADING}\n")[1].split("\n##")[0]


def test_whole_pipeline_on_the_real_catalog(tmp_path):
    records = make_grown_study(data={"fingerprint": "0000000000001e10"})
    applications = make_applications(records, driver=2.0, remainder=0.1)
    applications["exec_2x1/cut"] = json.dumps(applications["exec_2x1/2026-11-20T10.01.11.000Z"])[:300]
    folder = run_comparison(tmp_path, run_records=records, applications=applications)
    report = (folder / "report.md").read_text()
    assert report.count(HEADING) == 2  # both studies
    part = part_of(report)
    assert "| spent on | remainder | CPU used |" in part and "Missing" not in part
    assert re.search(r"\| JVM compute [\d.]+%, driver \(no task runs\) [\d.]+% \| [\d.]+% \|", part)
    for block in re.findall(r"(?:^\|.*\n?)+", part, re.MULTILINE):
        assert len({line.count("|") for line in block.strip().splitlines()}) == 1
    assert not re.search(r"\b(nan|None)\b", part)
    assert "Application 'exec_2x1/cut' is left out: it cannot be read (JSONDecodeError" in report
    table = pd.read_csv(folder / "components.csv")
    assert len(table) == len(pd.read_csv(folder / "comparison.csv"))
    for plot in ("components.png", "timeline.png"):
        assert (folder / plot).stat().st_size > 20_000 and f"]({plot})" in report


def test_without_applications_all_are_said_to_be_missing(tmp_path):
    folder = run_comparison(tmp_path, run_records={"a": make_record()})
    part = part_of((folder / "report.md").read_text())
    assert "**Missing.** No application is there for logistic_regression under exec_2x1" in part
    assert "|" not in part
    assert (folder / "components.png").stat().st_size > 5000 and (folder / "timeline.png").stat().st_size > 5000


def test_models_that_learned_in_one_query_have_one_row_one_panel_and_one_sentence():
    records = {name: make_record(name) for name in ("stream_ridge", "stream_mlp")}
    group = make_group(records["stream_mlp"], driver=2.0)
    records["stream_ridge"]["job_groups"] = records["stream_mlp"]["job_groups"]
    applications = {"a": make_application(records["stream_mlp"]["run_id"], "exec_2x1", [group])}
    said = told_of(records, applications)
    assert sum("largest parts of its core-seconds were" in topic for topic in said) == 1
    assert any(topic.endswith("It learned in the same query as stream_mlp, so the same holds.") for topic in said)
    table = next(block for block in section_of(records, applications) if hasattr(block, "rows"))
    (row,) = ([plain(cell) for cell in row] for row in table.rows)
    assert row[0] == "stream_mlp and 1 more" and row[-1] == "[r1, r2]"
    assert not any("Missing" in text for text in items_of(section_of(records, applications)))
    _, components, *_ = joined(records, applications)
    assert [ax.get_title(loc="left") for ax in plot_components(components).axes] == ["stream_mlp and 1 more"]


def test_a_sentence_per_model_says_what_differs_most():
    slow = make_record(setting=(1, 1), fit_s=(20.0, 20.4), created="2026-11-20T10:58:11+00:00")
    fast = make_record(setting=(2, 1), fit_s=(8.0, 8.2), created="2026-11-20T10:59:11+00:00")
    alone = make_record("random_forest", created="2026-11-20T10:59:11+00:00")
    applications = {
        "a": make_application(slow["run_id"], "exec_1x1", [make_group(slow, gc=9.5, driver=2.0)]),
        "b": make_application(fast["run_id"], "exec_2x1", [make_group(fast, gc=1.0), make_group(alone)]),
    }
    records = {"slow": slow, "fast": fast, "alone": alone}
    blocks = section_of(records, applications)
    (words,) = (topic for topic in told_of(records, applications) if "Fastest under" in topic)
    assert words.endswith(
        "From exec_1x1, the slowest (20.2 s), to exec_2x1, the fastest (8.1 s), the largest difference is in garbage "
        "collection: 9.5 s of the wall time against 0.5 s; what would help next: more executor memory."
    ) or words.endswith(
        "From exec_1x1, the slowest (20.0 s), to exec_2x1, the fastest (8.0 s), the largest difference is in garbage "
        "collection: 9.5 s of the wall time against 0.5 s; what would help next: more executor memory."
    )
    (words,) = (topic for topic in told_of(records, applications) if "Measured under" in topic)
    assert words.endswith(
        "the largest part of its core-seconds was JVM compute (100%); what would help next: more cores that are not shared, or fewer passes over the data."
    )
    # Each figure stands in the files.
    gc = applications["b"]["groups"][0]["components"]["gc"]
    assert (gc["seconds"], gc["core_s"]) == (0.5, 1.0)
    row = rows_of(blocks)[1]
    assert list(row.values()) == [
        *("logistic_regression", "exec_2x1", "8.0", "16.0", "JVM compute 93.8%, garbage collection 6.2%"),
        *("0.0%", "61%", "2.00", "[r3]"),
    ]


@pytest.mark.parametrize(
    ("component", "advice"),
    [
        ("scheduler_delay", "larger tasks or fewer jobs"),
        ("driver", "fewer Spark jobs"),
        ("idle_skew", "more partitions"),
        ("python_start", "fewer, longer runs"),
        ("worker_training", "more cores"),
        ("jvm_wait", "cores that nothing else uses"),
        ("remainder", "a look at the timeline"),
    ],
)
def test_every_component_has_its_advice(component, advice):
    slow, fast = make_record(setting=(1, 1), fit_s=(20.0,)), make_record(setting=(2, 1), fit_s=(9.0,))
    slow["run_id"] = "slow"
    applications = {
        "a": make_application("slow", "exec_1x1", [make_group(slow, **{component: 15.0})]),
        "b": make_application(fast["run_id"], "exec_2x1", [make_group(fast)]),
    }
    part = " ".join(told_of({"slow": slow, "fast": fast}, applications))
    assert f"in {COMPONENTS[component].name}: 15.0 s" in part and f"help next: {advice}" in part


def test_a_tie_is_called_one():
    slow, fast = make_record(setting=(1, 1), fit_s=(9.2,)), make_record(setting=(2, 1), fit_s=(9.0,))
    slow["run_id"] = "slow"
    applications = {
        "a": make_application("slow", "exec_1x1", [make_group(slow)]),
        "b": make_application(fast["run_id"], "exec_2x1", [make_group(fast)]),
    }
    words = " ".join(told_of({"slow": slow, "fast": fast}, applications))
    assert "the two times are a tie, so this may be chance." in words


def test_of_several_repeats_the_median_is_taken():
    record = make_record(fit_s=(9.0, 5.0, 7.0))
    groups = [make_group(record, wall_s=seconds) for seconds in (9.0, 5.0, 7.0)]
    _table, components, *_ = joined({"a": record}, {"a": make_application(record["run_id"], "exec_2x1", groups)})
    assert components["wall_s"].tolist() == [7.0] and components["group"].tolist() == [groups[2]["group"]]


def test_joins_models_networks_and_features():
    records = {"a": make_record(), "b": make_cnn_record(), "c": make_extraction_record()}
    table, components, timeline, _ = joined(records, make_applications(records))
    assert set(components["label"]) == {"logistic_regression", "airbench_bigdl", "features: kmeans_patches"}
    assert timeline["run_id"] == records["a"]["run_id"] and len(table) == 3


def test_missing_applications_are_named():
    records = make_study()
    applications = make_applications(records)
    del applications["exec_2x2/2026-11-20T10.02.11.000Z"]
    del applications["exec_1x1/2026-11-20T10.00.11.000Z"]["groups"][0]
    missing = next(item for item in items_of(section_of(records, applications)) if "Missing." in item)
    assert "logistic_regression under exec_1x1" in missing and "naive_bayes under exec_2x2" in missing
    assert "naive_bayes under exec_1x1" not in missing


@pytest.mark.parametrize("damage", ["schema_version", "groups", "run_id"])
def test_foreign_applications_are_left_out(damage):
    record = make_record()
    application = make_application(record["run_id"], "exec_2x1", [make_group(record)])
    application[damage] = 99
    if damage == "run_id":
        del application[damage]
    _, components, timeline, left_out = joined({"a": record}, {"odd": application})
    assert components.empty and timeline == {} and "'odd' is left out" in left_out[0]
    assert content_of({"a": record}, applications={"odd": application}).left_out == (left_out[0],)


def test_plots_of_many_models_and_of_none():
    records = make_grown_study()
    table, components, timeline, _ = joined(records, make_applications(records, gc=1.0, worker_training=0.5))
    components = of_section(components, main_study(table))
    figure = plot_components(components)
    assert sum(ax.axison for ax in figure.axes) == components["label"].nunique() == 6
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {
        *("CNN: training", "JVM compute", "garbage collection")
    }
    timeline["labels"] = [f"label {place}" for place in range(14)]
    timeline["spans"] = [[place % 2, place, place + 1, place] for place in range(14)]
    texts = [text.get_text() for text in plot_timeline(timeline).legends[0].get_texts()]
    assert len(texts) == 11 and texts[-1] == "all else"
    assert not plot_components(components.iloc[:0]).legends and not plot_timeline({}).legends
