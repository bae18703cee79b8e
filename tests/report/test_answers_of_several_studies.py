import json

from tests.factories.records import make_cnn_record, make_record, make_study
from tests.factories.report import LARGER, make_document, make_experiment, missing_in, sections, text_of, write_results

from cifar_pipelines.report.chapters.laboratory.questions import QUESTIONS


def test_studies_are_not_mixed(tmp_path):
    records = make_study() | {"other": make_record("naive_bayes", accuracy=0.99, data={"source": "cifar10"})}
    records["other"]["justification"] = "A stranger among models."
    write_results(tmp_path, records)
    document = make_document(records, tmp_path)
    made = sections(document)
    others = text_of(made["others"])
    assert "Cifar10 (01234567)" in others and "99.0%" in others
    for name, *_ in QUESTIONS:
        assert "99.0%" not in text_of(made[name]) and "stranger" not in text_of(made[name]), name
    about = text_of(document.lead)
    assert "Synthetic (01234567)" in about and "1 other study follows" in about


def test_the_main_text_is_about_the_study_with_the_most_measurements(tmp_path):
    small = {"a": make_record(created="2026-11-25T10:00:00+00:00", data=LARGER)}
    assert "10,000 training" in text_of(make_document(make_study() | small, tmp_path).lead)
    newest = small | {"b": make_record()}
    assert "20,000 training" in text_of(make_document(newest, tmp_path).lead)


def test_a_choice_of_another_study_is_not_shown(tmp_path):
    records = {"a": make_cnn_record(accuracy=0.7), "b": make_cnn_record(accuracy=0.71, setting=(2, 2))}
    write_results(tmp_path, records)
    elsewhere = {"created": "2026-11-19T10:00:00+00:00"}
    other = {
        "a": make_cnn_record(accuracy=0.6, **elsewhere),
        "b": make_cnn_record(accuracy=0.61, setting=(2, 2), **elsewhere),
    }
    file = tmp_path / "experiments" / "2026-11-21T12.00.00Z.json"
    file.write_text(json.dumps(make_experiment(other)))
    assert "70.0%" in text_of(sections(make_document(records, tmp_path))["A13"])
    (tmp_path / "experiments" / "2026-11-20T12.00.00Z.json").unlink()
    made = sections(make_document(records, tmp_path))["A13"]
    assert len(missing_in(made)) == 1 and "60.0%" not in text_of(made)


def test_plots_of_another_run_are_not_shown(tmp_path):
    write_results(tmp_path, {"a": make_cnn_record(created="2026-11-19T10:00:00+00:00")})
    made = sections(make_document({"a": make_record()}, tmp_path))
    assert len(missing_in(made["A7"])) == 5
    # The only folder with that source, these sizes and that seed is that of the study.
    assert "<source_classes.png" in text_of(made["A1"])


def test_records_that_were_left_out_are_listed_with_the_reason(tmp_path):
    old = make_record(params={"maxIter": 5}, created="2026-11-19T10:00:00+00:00")
    records = {"good": make_record(), "old": old, "broken_*": {"schema_version": 1}}
    made = sections(make_document(records, tmp_path))
    left_out = text_of(made["left_out"])
    assert "'broken_*' is left out: The run record lacks" in left_out and "older parameters" in left_out
    sources = text_of(made["sources"])
    assert "r1 | 2026-11-19T10.00.00.000Z | logistic_regression | exec_2x1 | no | old.json" in sources
    assert "[r2]" in text_of(made["A9"])


def test_a_choice_without_run_ids_is_known_by_setting_and_accuracy(tmp_path):
    records = {"a": make_cnn_record(accuracy=0.7), "b": make_cnn_record(accuracy=0.71, setting=(2, 2))}
    experiment = make_experiment(records)
    for one in experiment["choice"]["candidates"]:
        del one["run_ids"]
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "2026-11-20T12.00.00Z.json").write_text(json.dumps(experiment))
    assert "chosen" in text_of(sections(make_document(records, tmp_path))["A13"])
    others = {"a": make_cnn_record(accuracy=0.6), "b": make_cnn_record(accuracy=0.61, setting=(2, 2))}
    assert "chosen" not in text_of(sections(make_document(others, tmp_path))["A13"])


def test_a_choice_refers_to_the_records_of_its_model(tmp_path):
    records = {
        f"{family} {setting}": make_cnn_record(network=network, family=family, setting=setting)
        for family, network in (("bigdl_cnn", "airbench"), ("transfer", "lite0"))
        for setting in ((1, 1), (2, 2))
    }
    (tmp_path / "experiments").mkdir()
    experiment = make_experiment(records, "lite0_bigdl")
    (tmp_path / "experiments" / "2026-11-20T12.00.00Z.json").write_text(json.dumps(experiment))
    made = sections(make_document(records, tmp_path))
    (chosen,) = [line for line in text_of(made["A13"]).splitlines() if "chosen" in line]
    (own,) = [line for line in text_of(made["sources"]).splitlines() if chosen.rpartition("[")[2].rstrip("] |") in line]
    assert "lite0_bigdl" in own
