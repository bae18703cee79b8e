import json

import pytest
from tests.factories.records import make_record
from tests.factories.report import make_document, make_png, rows_of, sections_of, text_of

WENT = {
    "engine": "executors", "learners": 5, "images": 50_000, "stored": 128, "images_per_s": 512.3, "late_p50_s": 1.24, "late_p99_s": 3.2,
    "waiting": 7, "learn_s": 60.0, "side_by_side": 1.71, "prequential_accuracy": 0.731, "prequential_log_loss": 0.95,
}  # fmt: skip


def test_the_newest_run_of_every_learner_setting_and_engine_has_a_row():
    of = {"model": "stream_ridge", "accuracy": 0.78}
    records = {
        "old": make_record(**of, created="2026-11-20T10:00:00+00:00", stream=WENT | {"images": 1}),
        "new": make_record(**of, created="2026-11-20T11:00:00+00:00", stream=WENT),
        "driver": make_record(
            **of, created="2026-11-20T12:00:00+00:00", stream=WENT | {"engine": "driver", "side_by_side": 1.0}
        ),
        "other": make_record(),
    }
    section = sections_of(records)["stream"]
    driver, executors = rows_of(section.blocks)
    assert (driver["on"], driver["side by side"]) == ("driver", "1.00")
    assert (executors["images"], executors["images/s"], executors["late, p99 [s]"]) == ("50,000", "512", "3.2")
    assert (executors["while learning"], executors["after it"]) == ("73.1%", "78.0%")
    assert "predicted before it is learned" in text_of(section.blocks)


@pytest.fixture
def left_by(tmp_path):
    """Returns a function that leaves a file of a run below the reporting folder."""

    def leave(record, folder, name, content):
        file = tmp_path / "s/d/f" / record["parallelism"]["setting"] / folder / name / record["run_id"] / name
        file.parent.mkdir(parents=True)
        file.write_bytes(content)

    return leave


def test_a_learner_stands_beside_the_fit_of_all_images_on_the_same_features(tmp_path):
    records = {
        "stream": make_record(
            model="stream_sgd_logistic", accuracy=0.72, stream=WENT | {"at_once": "logistic_regression"}
        ),
        "exact": make_record(model="stream_ridge", accuracy=0.7, stream=WENT | {"exact": True}),
        "all": make_record(model="logistic_regression", accuracy=0.81),
    }
    text = text_of(sections_of(records, reporting=tmp_path)["stream"].blocks)
    assert "72.0% after one pass; logistic_regression, which has all images at once, 81.0% on the same features" in text
    assert "stream_ridge. One pass gives what a fit of all images at once gives" in text
    records["all"]["features"] = records["all"]["features"] | {"input_size": 7}
    assert "after one pass" not in text_of(sections_of(records, reporting=tmp_path)["stream"].blocks)


def test_what_more_cores_gained_is_told_where_the_same_was_learned():
    def record(setting, learn_s, **changes):
        return make_record(model="stream_ridge", setting=setting, stream=WENT | {"learn_s": learn_s} | changes)

    records = {
        "slow": record((1, 1), 60.0), "fast": record((2, 1), 40.0), "one": record((2, 1), 90.0, engine="driver"),
        "other": record((4, 1), 1.0, images=7),
    }  # fmt: skip
    text = text_of(sections_of(records)["stream"].blocks)
    assert (
        "exec_2x1, learners on executors. 5 learners took 40.0 s for 50,000 images; under exec_1x1, on executors, 60.0 s: 1.50 times"
        in text
    )
    assert "exec_2x1, learners on driver. 5 learners took 90.0 s" in text and "0.67 times as fast" in text
    assert "exec_4x1, learners" not in text


def test_frames_that_had_landed_before_are_not_late():
    before = WENT | {"late_p50_s": None, "late_p99_s": None, "waiting": None}
    (row,) = rows_of(sections_of({"one": make_record(model="stream_ridge", stream=before)})["stream"].blocks)
    assert {row["late, p50 [s]"], row["late, p99 [s]"], row["waiting"]} == {"–"}


def test_drift_and_forgetting_are_told(tmp_path, left_by):
    record = make_record(model="stream_mlp", stream=WENT)
    found = {
        "drift_alarms": [5120], "drift_at": 5000, "drift_delay": 120, "false_alarms": 0,
        "forgetting": {"forgetting": 0.31, "backward_transfer": -0.2, "phase_classes": [[0, 1], [2]]},
    }  # fmt: skip
    left_by(record, "stream_mlp", "stream_findings.json", json.dumps(found).encode())
    text = text_of(sections_of({"one": record}, reporting=tmp_path)["stream"].blocks)
    assert (
        "Drift was reported after images: 5,120. It came with image 5,000: noticed 120 images later, 0 false alarms."
        in text
    )
    assert "in 2 phases: forgetting 0.310, backward transfer -0.200" in text


def test_alarms_on_a_stream_without_drift_are_called_false(tmp_path, left_by):
    record = make_record(model="stream_mlp", stream=WENT)
    found = {"drift_alarms": [], "drift_at": None, "drift_delay": None, "false_alarms": 0, "forgetting": None}
    left_by(record, "stream_mlp", "stream_findings.json", json.dumps(found).encode())
    text = text_of(sections_of({"one": record}, reporting=tmp_path)["stream"].blocks)
    assert "Drift was reported after images: none. By the server's scenario there is none, so every alarm" in text


def test_the_plots_of_the_newest_stream_are_in_the_report(tmp_path, left_by):
    record = make_record(model="stream_mlp", stream=WENT)
    left_by(record, "stream", "models.png", make_png())
    (part,) = [
        block for block in make_document({"one": record}, tmp_path).blocks if getattr(block, "key", "") == "stream"
    ]
    figure, pace = part.blocks[-2:]
    assert figure.png == make_png() and "no figure here" in text_of([pace])


def test_without_streams_there_is_no_such_section():
    assert "stream" not in sections_of({"other": make_record()})
