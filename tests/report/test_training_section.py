from tests.factories.records import make_cnn_record, make_record
from tests.factories.report import rows_of, sections_of


def test_every_network_says_what_it_took_to_train_it():
    data = {"validation_size": 500}
    records = {
        "old": make_cnn_record(epochs=2, created="2026-11-19T10:58:11+00:00", data=data),
        "new": make_cnn_record(epochs=4, data=data, validation_from="validation"),
        "other": make_record(data=data),
    }
    (row,) = rows_of(sections_of(records)["training"].blocks)
    assert (row["model"], row["epochs"]) == ("airbench_bigdl", "4")
    assert row["images: training / validation / test"] == "10,000 / 500 / 500"
    assert row["at the end of the learning curve"].endswith("(validation)")
    assert (row["optimiser"], row["validation F1 macro"]) == ("sgd", "–")
    assert row["training accuracy"].endswith("%") and row["test accuracy"] == "80.0%" and row["records"] == "[r2]"


def test_where_no_network_was_trained_there_is_no_such_section():
    assert "training" not in sections_of({"other": make_record()})


def test_accuracy_is_that_of_the_split_that_was_judged():
    data = {"test_size": 0, "validation_size": 398, "content": "text"}
    (row,) = rows_of(sections_of({"new": make_cnn_record(data=data)})["training"].blocks)
    assert row["validation accuracy"] == "80.0%" and "test accuracy" not in row
    assert row["texts: training / validation / test"] == "10,000 / 398 / –"
