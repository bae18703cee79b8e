"""What the answers about models show beside their plots."""

import re

import pytest
from tests.factories.records import make_cnn_record, make_record
from tests.factories.report import make_document, sections, text_of, write_results


def test_the_best_network_of_each_architecture_is_drawn(tmp_path):
    records = {
        "a": make_cnn_record(accuracy=0.7),
        "b": make_cnn_record("torch_distributor", accuracy=0.8),
        "c": make_cnn_record(network="lenet", accuracy=0.5),
        "d": make_cnn_record(network="timm:x", model="x_bigdl", family="transfer", accuracy=0.6),
        "e": make_record(),
    }
    write_results(tmp_path, records)
    said = {name: text_of(blocks) for name, blocks in sections(make_document(records, tmp_path)).items()}
    drawn = re.findall(r"<diagram.png: (\w+): the parts of the network from the image to the classes", said["A11"])
    assert drawn == ["airbench_torch_distributor", "lenet_bigdl"]
    assert said["A6"].count("<diagram.png: x_bigdl") == sum(said[name].count("<diagram.png") for name in said) - 2 == 1


@pytest.mark.parametrize(
    ("wrong", "said"), [(3, "truck | bird | 3 | 37.5%"), (0, "random_forest took no test image for one of another class.")]
)  # fmt: skip
def test_the_most_confused_classes_stand_beside_the_matrix(wrong, said, tmp_path):
    counts = [[0] * 10 for _ in range(10)]
    counts[9][2], counts[9][9] = wrong, 5
    metrics = {"confusion_matrix": counts}
    records = {"best": make_record("random_forest", accuracy=0.7, metrics=metrics), "other": make_record()}
    write_results(tmp_path, records)
    lines = text_of(sections(make_document(records, tmp_path))["A7"]).split("\n")
    place = next(place for place, line in enumerate(lines) if line.startswith("<confusion_matrix.png"))
    assert said in lines[place : place + 4]
    assert sum("confused" in line for line in lines) == bool(wrong)
