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
    assert (row["optimiser"], row["network"]) == ("sgd", "airbench")
    assert row["training accuracy"].endswith("%") and row["test accuracy"] == "80.0%" and row["records"] == "[r2]"
    # Records of before do not say where a network was trained, and without phases none what was trained of it.
    assert not {"device", "card [MB]", "trained parameters", "validation F1 macro"} & row.keys()


def test_a_network_says_on_what_it_was_trained_and_how_much_of_it():
    phases = [
        {"phase": 1, "train": "head", "inputs": "cache", "trained_parameters": 1_290},
        {"phase": 2, "train": "last:3", "inputs": "images", "trained_parameters": 2_657_194},
    ]
    rest = {"epochs": 1, "kept_epoch": 1, "validation_accuracy": 0.8, "seconds": 2.0}
    on_card = {"rank": 0, "batch_size": 64, "device": "NVIDIA H100 80GB HBM3", "card_memory_mb": 5_120.4}
    transferred = make_cnn_record(
        network="timm:x", model="x_local", family="transfer", parameter_count=3_383_818, workers=[on_card],
        phases=[phase | rest for phase in phases],
    )  # fmt: skip
    on_cpu = make_cnn_record(workers=[{"rank": rank, "device": "CPU"} for rank in (0, 1)])
    rows = {row["model"]: row for row in rows_of(sections_of({"a": transferred, "b": on_cpu})["training"].blocks)}
    wanted = ("network", "device", "card [MB]", "parameters", "trained parameters")
    assert [rows["x_local"][name] for name in wanted] == [
        *("timm:x", "NVIDIA H100 80GB HBM3", "5,120", "3,383,818", "2,657,194")
    ]
    assert [rows["airbench_bigdl"][name] for name in wanted] == ["airbench", "CPU", "–", "16,010", "–"]


def test_where_no_network_was_trained_there_is_no_such_section():
    assert "training" not in sections_of({"other": make_record()})


def test_accuracy_is_that_of_the_split_that_was_judged():
    data = {"test_size": 0, "validation_size": 398, "content": "text"}
    (row,) = rows_of(sections_of({"new": make_cnn_record(data=data)})["training"].blocks)
    assert row["validation accuracy"] == "80.0%" and "test accuracy" not in row
    assert row["texts: training / validation / test"] == "10,000 / 398 / –"


def test_images_are_counted_as_augmentation_makes_them():
    def seen(**changes):
        (row,) = rows_of(sections_of({"new": make_cnn_record(**changes)})["training"].blocks)
        return row.get("training images as augmented")

    def phase(number, inputs, epochs):
        return {
            "phase": number, "train": "all", "inputs": inputs, "epochs": epochs, "kept_epoch": 1, "validation_accuracy": 0.8,
            "seconds": 2.0, "trained_parameters": 3,
        }  # fmt: skip

    head = {"augmentation": [], "mixing": {"mixup": 0.0}, "optimiser": {"name": "adam"}}
    plain = head | {"mixing": {"mixup": 0.2}}
    phases = [phase(1, "cache", 50), phase(2, "images", 3)]
    assert seen(params={"recipe": {"flip": True, "crop_padding": 0, "cutout": 0}}) == "40,000"  # four epochs
    assert seen(params={"recipe": {"flip": False, "crop_padding": 0, "cutout": 0}}) == "10,000"
    assert seen(params={"views": 10, "phases": [head, head]}, phases=phases) == "100,000"
    assert seen(params={"views": 2, "phases": [head, plain]}, phases=phases) == "30,000"
    assert seen(params={"views": 1, "phases": [head]}, phases=phases[:1]) == "10,000"
    assert seen(data={"content": "text"}) is None
