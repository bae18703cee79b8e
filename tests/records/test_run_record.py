import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.factories.records import make_extraction_record, make_record, make_study

from cifar_pipelines.backbones import InputSpec
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.records.columns import records_to_table
from cifar_pipelines.records.json_form import from_json, to_json
from cifar_pipelines.records.parts import Features
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.speedup import add_scaling
from cifar_pipelines.records.summary import marks, sections, summarise, trained


def _summary(records):
    return add_scaling(summarise(records_to_table(records)[0])[0])


def test_complete_records_are_valid():
    RunRecord.from_json(make_record())
    RunRecord.from_json(make_extraction_record())
    RunRecord.from_json(json.loads(json.dumps(make_record(features=None))))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("model", "'model'"),
        ("data.fingerprint", "'data.fingerprint'"),
        ("parallelism.asked.cores_max", "cores_max"),
        ("timings.fit_s", "'timings.fit_s'"),
        ("metrics.accuracy.low", "'metrics.accuracy.low'"),
        ("schema_version", "schema_version None"),
    ],
)
def test_missing_key_is_named(path, words):
    record = make_record()
    *parents, last = path.split(".")
    inner = record
    for key in parents:
        inner = inner[key]
    del inner[last]
    with pytest.raises(UserError, match=words):
        RunRecord.from_json(record)


@pytest.mark.parametrize("fit_s", [[], [0.0], [-1.0], [math.nan], [math.inf], ["fast"], 7.0, [True]])
def test_timings_that_are_no_durations_are_refused(fit_s):
    record = make_record()
    record["timings"]["fit_s"] = fit_s
    with pytest.raises(UserError, match="positive seconds"):
        RunRecord.from_json(record)


def test_records_that_cannot_be_compared_are_left_out_and_named():
    def truncated():
        return json.loads(json.dumps(make_record())[:200])

    wrong_type = make_record()
    wrong_type["data"]["train_size"] = "many"
    records = {
        "good": make_record,
        "cut": truncated,
        "old": make_record(schema_version=0),
        "list": [],
        "late": make_record(created="yesterday-ish"),
        "type": wrong_type,
    }
    table, left_out = records_to_table(records)
    assert len(table) == 1
    text = " ".join(left_out)
    assert len(left_out) == 5
    for words in ("'cut' is left out: it cannot be read (JSONDecodeError)", "'old'", "schema_version 0"):
        assert words in text
    for words in ("'list'", "must be a JSON object", "'late'", "not ISO 8601", "'type'", "wrong type"):
        assert words in text
    assert records_to_table({})[0].empty


def test_features_of_another_input_have_another_identity():
    block = {"extractor": "timm:a", "weights": "w", "input_size": 160, "dimension": 8, "precision": "bf16"}
    usual, bicubic = InputSpec(160, 183), InputSpec(160, 183, "bicubic")
    older, same, other = (
        from_json(Features, block | more) for more in ({}, {"input": usual.to_json()}, {"input": bicubic.to_json()})
    )
    assert (older.input, same.input, other.input) == (None, usual, bicubic)
    assert older.identity == same.identity == "timm:a, w, 160 px, bf16"
    assert other.identity == "timm:a, w, 160 px, bicubic, bf16"
    assert from_json(Features, to_json(other)) == other


def test_features_of_other_options_have_another_identity_and_rows_of_their_own():
    def of(centroids, minute):
        record = make_record(created=f"2026-11-20T10:{minute:02d}:00Z")
        record["features"]["options"] = {"mirror": True, "centroids": centroids}
        return record

    records = {"older": make_record(), "few": of(100, 59), "many": of(1600, 59), "again": of(1600, 58)}
    summary, notes = summarise(records_to_table(records)[0])
    assert sorted(summary["runs"]) == [1, 1, 2] and summary["label"].is_unique and not notes
    assert {text.removeprefix("kmeans_patches, ") for text in summary["extractor_identity"]} == {
        "learned from the training subset, 32 px, bf16",
        "learned from the training subset, 32 px, centroids=100,mirror=true, bf16",
        "learned from the training subset, 32 px, centroids=1600,mirror=true, bf16",
    }


def test_table_has_the_figures_of_the_record():
    record = make_record(fit_s=(7.0, 9.0, 7.5), host_load={"other_cpu_share": 0.5})
    row = records_to_table({"one": record})[0].iloc[0]
    assert (row["fit_s"], row["timings_s"], row["clocked_s"]) == (7.5, [7.0, 9.0, 7.5], 23.5)
    assert (row["cores"], row["executors"], row["setting"]) == (2, 2, "exec_2x1")
    assert row["executor_jvm_memory_mb"] == 800 and math.isnan(row["executor_python_memory_mb"])
    assert row["extractor_identity"] == "kmeans_patches, learned from the training subset, 32 px, bf16"
    images = records_to_table({"one": make_record(features=None)})[0].iloc[0]
    assert (images["extractor"], images["extractor_identity"]) == (None, "images")
    extraction = records_to_table({"one": make_extraction_record(extract_s=(30, 34))})[0].iloc[0]
    assert extraction["extract_s"] == 32 and math.isnan(extraction["fit_s"])


@settings(max_examples=25)
@given(st.lists(st.lists(st.floats(0.01, 1e4), min_size=1, max_size=4), min_size=1, max_size=4))
def test_summary_is_the_median_over_all_repeats_of_all_runs(runs):
    records = {str(i): make_record(fit_s=fits, created=f"2026-11-20T10:{i:02d}:00Z") for i, fits in enumerate(runs)}
    (row,) = _summary(records).to_dict("records")
    every = [value for fits in runs for value in fits]
    assert row["time_s"] == pytest.approx(np.median(every))
    assert (row["time_min_s"], row["time_max_s"]) == (min(every), max(every))
    assert (row["timings"], row["runs"]) == (len(every), len(runs))


def test_scores_are_those_of_the_latest_run_whatever_the_time_zone():
    early = make_record(accuracy=0.5, created="2026-11-20T12:00:00+05:00")
    late = make_record(accuracy=0.7, created="2026-11-20T10:00:00Z")
    assert _summary({"b": early, "a": late})["accuracy"].tolist() == [0.7]


def test_only_the_newest_parameters_are_kept_and_the_others_counted():
    records = {
        "1": make_record(params={"maxIter": 10}, created="2026-11-20T09:00:00Z"),
        "2": make_record(params={"maxIter": 10}, created="2026-11-20T09:01:00Z", setting=(2, 2)),
        "3": make_record(params={"maxIter": 99, "reg": 1}, created="2026-11-20T10:00:00Z"),
        "4": make_record(params={"reg": 1, "maxIter": 99}, created="2026-11-20T10:01:00Z", setting=(2, 2)),
    }
    summary, notes = summarise(records_to_table(records)[0])
    assert summary["setting"].tolist() == ["exec_2x1", "exec_2x2"]
    assert summary["params_digest"].nunique() == 1
    assert len(notes) == 1 and notes[0].startswith("2 runs of 'logistic_regression' with older parameters")


def test_data_and_hosts_are_never_mixed():
    records = {
        "a": make_record(),
        "b": make_record(data={"fingerprint": "f" * 16, "train_size": 20000}),
        "c": make_record(host_cores=16),
    }
    parts = list(sections(_summary(records)))
    assert [len(rows) for _, rows in parts] == [1, 1, 1]
    assert len({title for title, _ in parts}) == 3


def test_models_that_share_a_name_are_told_apart():
    other = make_record(features={"extractor": "torchvision:mobilenet_v2"})
    torch = make_record(family="bigdl")
    labels = _summary({"a": make_record(), "b": other, "c": torch})["label"]
    assert labels.is_unique and labels.str.contains("mobilenet_v2").any() and labels.str.contains("bigdl").any()


def test_extraction_time_belongs_to_the_same_setting():
    summary = _summary(make_study())
    row = summary.query("label == 'naive_bayes' and setting == 'exec_2x1'").iloc[0]
    assert row["extract_s"] == 28
    assert len(trained(summary)) == 12 and len(summary) == 16


@settings(max_examples=25)
@given(st.lists(st.floats(0.1, 1e3), min_size=4, max_size=4))
def test_scaling_laws(times):
    chosen = [(1, 1), (2, 2), (2, 1), (8, 2)]
    records = {str(s): make_record(setting=s, fit_s=[t]) for s, t in zip(chosen, times, strict=True)}
    summary = _summary(records).set_index("setting")
    assert (summary["reference_setting"] == "exec_1x1").all()
    assert summary.loc["exec_1x1", ["speedup", "efficiency"]].tolist() == [1, 1]
    assert summary["speedup"].to_numpy() == pytest.approx(times[0] / summary["time_s"].to_numpy())
    assert (summary["efficiency"] * summary["cores"]).to_numpy() == pytest.approx(summary["speedup"].to_numpy())
    assert summary["utilisation"].to_numpy() == pytest.approx(0.8 / summary["cores"].to_numpy())


def test_marks_name_every_doubt():
    record = make_record(setting=(4, 2), fit_s=[3.0], host_load={"other_cpu_share": 0.2})
    record["parallelism"]["effective"]["cores"] = 3
    (_, row), *_ = _summary({"a": record}).iterrows()
    assert marks(row) == ["oversubscribed", "3 of 4 cores granted", "busy host", "one timing"]
    (_, row), *_ = _summary({"a": make_record()}).iterrows()
    assert marks(row) == []


def test_missing_measurements_do_not_stop_the_summary(recwarn):
    record = make_record(resources={"task_cpu_s": None, "gc_s": None, "driver": None, "executors": None})
    record["host_load"] = {}
    row = _summary({"a": record}).iloc[0]
    assert math.isnan(row["utilisation"]) and math.isnan(row["driver_memory_mb"]) and row["busy_runs"] == 0
    assert not recwarn.list


@pytest.mark.parametrize(
    ("known", "wanted"),
    [
        ({}, None),  # of an older record
        ({"environment": "exec_2x1"}, None),
        ({"environment": "exec_2x1", "params_of": "animals"}, "animals"),
        ({"environment": "animals"}, "animals"),
    ],
)
def test_a_record_says_which_environment_its_parameters_came_from(known, wanted):
    record = RunRecord.from_json(make_record(**known))
    assert record.parameters_from == RunRecord.from_json(record.to_json()).parameters_from == wanted
