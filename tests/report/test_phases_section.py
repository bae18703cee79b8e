from tests.factories.records import make_cnn_record, make_record
from tests.factories.report import rows_of, sections_of, text_of

PHASE = {
    "train": "all",
    "inputs": "images",
    "kept_epoch": 3,
    "validation_accuracy": 0.9,
    "seconds": 60.0,
    "trained_parameters": 1000,
}
HEAD = PHASE | {"phase": 1, "train": "head", "inputs": "cache", "epochs": 2, "seconds": 1.5}
CACHE = {
    "images": 1200, "views": 2, "extract_s": 8.0, "images_per_s": 300.0, "reused": False, "head_start_s": 2.0, "saved_s": 142.4
}  # fmt: skip


def test_every_phase_has_a_row_and_what_storing_saved_is_said():
    record = make_cnn_record(epochs=3, phases=[HEAD, PHASE | {"phase": 2, "epochs": 1}], cache=CACHE)
    section = sections_of({"new": record})["phases"]
    head, whole = rows_of(section.blocks)
    assert (head["trains"], head["on"], head["epochs"]) == ("head", "cache", "2")
    assert (whole["trains"], whole["parameters"], whole["time [s]"]) == ("all", "1,000", "60.0")
    assert whole["validation accuracy"] == "90.0%"
    words = text_of(section.blocks)
    assert "2 views of 1,200 images took 8.0 s (300 a second)" in words
    assert "2 epochs on them took 1.5 s" in words and "142 s more" in words


def test_of_stored_texts_it_is_said_how_many_were_cut():
    record = make_cnn_record(
        epochs=3, phases=[HEAD, PHASE | {"phase": 2, "epochs": 1}], cache=CACHE | {"truncated": 300}
    )
    record["data"]["content"] = "text"
    words = text_of(sections_of({"new": record})["phases"].blocks)
    assert "2 views of 1,200 texts took" in words and "Of these texts 25.0% are longer than the network sees" in words


def test_without_phases_there_is_no_such_section():
    assert "phases" not in sections_of({"other": make_record()})
