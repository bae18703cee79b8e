"""A saved model predicts a stream into a CSV that grows."""

import json
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from tests.factories.learners import block

from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.images import encode_png, load_batch
from cifar_pipelines.prediction import stream as prediction_stream
from cifar_pipelines.prediction.growing_csv import GrowingCsv
from cifar_pipelines.prediction.stream import StreamRequest, predict_stream
from cifar_pipelines.streaming.journal import COMMITTED, committed
from cifar_pipelines.streaming.landing import Landing
from cifar_pipelines.streaming.wire import Frame, StreamImage

ROWS = pd.DataFrame({"image": ["a", "ü"], "label": ["cat", "dog"], "probability": [0.5, 1.0]})
CLASSES = ["dark", "bright"]


def test_rows_come_once_whatever_was_written_when_a_process_was_killed(tmp_path):
    csv = GrowingCsv(tmp_path / "below" / "x.csv", {"model": "one"})
    assert (csv.next_sequence, csv.predicted) == (1, 0)
    csv.producers = {"one": "digest"}
    csv.append(ROWS, 3, {"b": "damaged"})
    with csv.target.open("a") as file:  # written, and killed before it counted
        file.write("c,cat,0.1\n")
    again = GrowingCsv(csv.target, {"model": "one"})
    assert (again.next_sequence, again.predicted, again.bad) == (3, 2, {"b": "damaged"})
    assert again.producers == {"one": "digest"}
    again.append(ROWS, 4, {})
    assert pd.read_csv(csv.target)["image"].tolist() == ["a", "ü", "a", "ü"]
    said = json.loads(csv.target.with_suffix(".json").read_text())
    assert said["predicted"] == 4 and said["bytes"] == csv.target.stat().st_size and said["model"] == "one"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda csv: csv.with_suffix(".json").unlink(), "is there already"),
        (lambda csv: csv.unlink(), "is shorter than its JSON says"),
        (lambda csv: csv.write_text("image\n"), "is shorter than its JSON says"),
        (lambda csv: csv.with_suffix(".json").write_text('{"model": "one"}'), "is no stream's"),
    ],
)
def test_a_file_that_cannot_go_on_is_refused(tmp_path, change, words):
    csv = GrowingCsv(tmp_path / "x.csv", {"model": "one"})
    csv.append(ROWS, 3, {})
    change(csv.target)
    with pytest.raises(UserError, match=words):
        GrowingCsv(csv.target, {"model": "one"})


@pytest.mark.parametrize("there", [None, b"", b"image,lab"])
def test_a_process_that_was_killed_before_its_first_line_goes_on(tmp_path, monkeypatch, there):
    target = tmp_path / "x.csv"
    with monkeypatch.context() as patch:
        patch.setattr(GrowingCsv, "append", lambda *_: None)
        GrowingCsv(target, {"model": "one"})
    if there is not None:
        target.write_bytes(there)
    csv = GrowingCsv(target, {"model": "one"})
    assert (csv.next_sequence, csv.predicted) == (1, 0)
    assert target.read_text() == "image,label,probability\n"


def test_predictions_of_another_model_are_refused_by_name(tmp_path):
    GrowingCsv(tmp_path / "x.csv", {"model": "one"})
    with pytest.raises(UserError, match=r"has other predictions: model \(file: one; now: two\)"):
        GrowingCsv(tmp_path / "x.csv", {"model": "two"})


def brightness(images):
    """Predicts whether images are bright."""
    table = images.outputs(lambda files: load_batch(files, 4).float().mean((1, 2, 3)).numpy()[:, None] / 255).toPandas()
    bright = np.array([row[0] for row in table["output"]])
    return pd.DataFrame(
        {
            "image_id": table["image_id"], "prediction": (bright > 0.5).astype(int),
            "probability": list(np.stack([1 - bright, bright], axis=1)),
        }
    )  # fmt: skip


def test_a_model_of_texts_predicts_no_stream():
    record = SimpleNamespace(model="linear_svm", data=SimpleNamespace(content="text"))
    request = SimpleNamespace(model="linear_svm", saved_model=lambda: (record, None))
    with pytest.raises(
        UserError, match=r"linear_svm reads texts, and a stream brings images.* kedro predict linear_svm <folder>"
    ):
        StreamRequest(request, ()).saved_model()


def test_every_image_of_a_stream_has_a_row_in_order_also_one_that_comes_again(spark, tmp_path, monkeypatch):
    greys = [[10, 250], [200, None], [10]]
    landing = tmp_path / "stream"
    with Landing(landing, 10, ["here"]) as folder:
        folder.admit("test", {"digest": "digest", "classes": CLASSES}, "here")
        for number, frame in enumerate(greys, 1):
            images = [encode_png(np.full((4, 4, 3), grey, np.uint8)) if grey else b"no image" for grey in frame]
            sent = [StreamImage(f"{place}.png", None, image) for place, image in enumerate(images)]
            folder.land("test", Frame(number, 0, 1.0, 1.0, tuple(sent)))
        folder.end("test", 3)
    parameters = {"streaming": block(landing, on_bad_image="skip")}
    loader = {"spark": load_configuration()["spark"], "parameters": parameters}
    record = SimpleNamespace(
        model="bright", family="made_up", run_id="now", artifacts={"model": "bright.pt"},
        data=SimpleNamespace(content="image", class_names=CLASSES),
    )  # fmt: skip
    request = SimpleNamespace(
        model="bright", folder=str(landing), output=tmp_path / "x.csv", loader=loader, setting=None,
        saved_model=lambda: (record, brightness),
    )  # fmt: skip
    monkeypatch.setattr(prediction_stream, "SparkRuntime", lambda *_: nullcontext(spark))
    for _ in range(2):  # where all is predicted, the same command changes nothing
        (landing / COMMITTED).unlink(missing_ok=True)  # as where a process is killed just before it
        of, csv = predict_stream(StreamRequest(request, ()))
        assert of is record and committed(landing) == 3
    rows = pd.read_csv(csv.target)
    assert rows["image"].tolist() == ["0.png", "1.png", "0.png", "0.png"]
    assert rows["label"].tolist() == ["dark", "bright", "bright", "dark"]
    assert rows["probability"].min() > 0.7 and list(csv.bad) == ["1.png"]
    assert csv.next_sequence == 4
    said = json.loads(csv.target.with_suffix(".json").read_text())
    assert (said["model"], said["version"], said["classes"]) == ("bright", "now", CLASSES)
    record.run_id = "later"
    with pytest.raises(UserError, match=r"has other predictions: version \(file: now; now: later\)"):
        predict_stream(StreamRequest(request, ()))
