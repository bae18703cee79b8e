from tests.factories.records import make_record
from tests.factories.report import rows_of, sections_of, text_of

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


def test_without_streams_there_is_no_such_section():
    assert "stream" not in sections_of({"other": make_record()})
