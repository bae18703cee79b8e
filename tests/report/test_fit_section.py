import json

from tests.factories.records import make_cnn_record, make_record
from tests.factories.report import rows_of, sections_of

from cifar_pipelines.report.document.blocks import Table
from cifar_pipelines.report.sections.sentences import sentences


def test_every_network_gets_a_verdict_with_its_numbers():
    (row,) = rows_of(sections_of({"cnn": make_cnn_record(epochs=3), "other": make_record()})["fit"].blocks)
    assert row["model"] == "airbench_bigdl" and row["verdict"] in ("fits", "underfitted", "overfitted")
    assert "validation loss" in row["by these numbers"]


def test_a_network_that_always_says_the_majority_class_failed_as_the_scores_say():
    classes = [{"class_name": "a", "support": 350}, {"class_name": "b", "support": 150}]
    record = make_cnn_record(epochs=3, accuracy=0.7, data={"class_names": ["a", "b"]}, metrics={"per_class": classes})
    made = sections_of({"cnn": record})
    (row,) = rows_of(made["fit"].blocks)
    assert row["verdict"] == "failed (seed 42)" and "guessing has 70.0%" in row["by these numbers"]
    assert "no better than guessing (70.0%)" in rows_of(made["scores"].blocks)[0]["accuracy"]


def test_without_networks_there_is_no_verdict():
    assert "fit" not in sections_of({"other": make_record()})


def test_sentences_are_told_by_text_and_model(tmp_path):
    folder = tmp_path / "sentences"
    folder.mkdir()
    told = {
        "text": "So good!",
        "model": "minilm",
        "version": "v",
        "label": "pos",
        "probabilities": {"neg": 0.1, "pos": 0.9},
    }
    (folder / "a.json").write_text(json.dumps(told))
    (folder / "b.json").write_text("{}")
    (table,) = [block for block in sentences(tmp_path).blocks if isinstance(block, Table)]
    assert "So good!" in str(table) and "neg 0.1000, pos 0.9000" in str(table)
    assert sentences(tmp_path / "nowhere") is None
