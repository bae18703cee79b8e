import pytest
from tests.factories.images import encode_image
from tests.factories.records import make_record

from cifar_pipelines.common.contents import IMAGE, TEXT
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.prediction import request as module
from cifar_pipelines.prediction.request import Request
from cifar_pipelines.records.run_record import RunRecord


def request(folder="nowhere", **changes):
    return Request("logistic_regression", str(folder), **changes)


def test_images_are_found_at_any_depth_and_whatever_their_names(tmp_path, caplog):
    (tmp_path / "a b" / "deep").mkdir(parents=True)
    for name in ("2.png", "10.PNG", 'a b/ä,"x".jpg', "a b/deep/1.webp", "notes.txt", ".hidden.png"):
        (tmp_path / name).write_bytes(b"")
    assert request(tmp_path).inputs(IMAGE)[1] == ["10.PNG", "2.png", "a b/deep/1.webp", 'a b/ä,"x".jpg']
    assert "Files that are not read as images: .txt (1)." in caplog.text and "deeper" not in caplog.text


def test_a_folder_that_is_missing_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"gone is not a folder that exists\. Give the folder that holds the images"):
        request(tmp_path / "gone").inputs(IMAGE)
    (tmp_path / "one.png").write_bytes(encode_image())
    with pytest.raises(UserError, match=r"one.png is a file, and images are read from a folder"):
        request(tmp_path / "one.png").inputs(IMAGE)
    with pytest.raises(UserError, match="addresses of the kind s3:// are not supported"):
        request("s3://bucket/images").inputs(IMAGE)


def test_a_folder_without_images_is_refused_with_what_is_there(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(UserError, match=r"holds no image. Files that are not read as images: .txt \(1\)"):
        request(tmp_path).inputs(IMAGE)


def test_a_parameter_that_a_prediction_does_not_ask_for_is_refused():
    with pytest.raises(
        UserError, match=r"Unknown parameter of a prediction 'spark_ml'.*A saved model keeps all others"
    ):
        _ = request(params_text="spark_ml.repeats=2").params
    given = request(params_text="source=cifar10,train_size=200,on_bad_image=skip")
    assert given.params == {"source": "cifar10", "train_size": 200, "on_bad_image": "skip"}
    assert given.on_bad_image == "skip" and given.setting.cores_max == 2


def test_an_unknown_environment_is_refused():
    with pytest.raises(UserError, match="Unknown environment 'exec_2x2x2'"):
        _ = request(environment="exec_2x2x2").setting


def test_nothing_is_overwritten(tmp_path):
    output = tmp_path / "labels.csv"
    assert request(tmp_path, output=output).target("now") == output
    for name in ("labels.csv", "labels.json"):
        (tmp_path / name).write_text("")
        with pytest.raises(
            UserError, match=f"{name} is there already, and nothing is overwritten. Give another --output"
        ):
            request(tmp_path, output=output).target("now")
        (tmp_path / name).unlink()


def test_what_is_written_is_called_a_csv(tmp_path):
    with pytest.raises(UserError, match=r"labels.json, but must end in .csv"):
        request(tmp_path, output=tmp_path / "labels.json").target("now")


def test_two_folders_of_one_name_have_predictions_of_their_own(tmp_path):
    folders = [tmp_path / part / "new" for part in "ab"]
    for folder in folders:
        folder.mkdir(parents=True)
    first, second = (request(folder).target("now") for folder in folders)
    assert first != second and first.name == "now.csv" and first.parent.name == "logistic_regression"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"family": "gone"}, "of the family gone, whose models predict no new images"),
        ({"family": "features"}, "of the family features, whose models predict no new images"),
        ({"data": {"class_names": None}}, "earlier version, which did not name the classes. Train the model again"),
        ({}, "earlier version, which did not say which weights the extractor had. Train the model again"),
    ],
)
def test_a_record_that_does_not_say_enough_is_refused(changes, words, monkeypatch, tmp_path):
    record = RunRecord.from_json(make_record(artifacts={"model": str(tmp_path)}, **changes))
    (tmp_path / "metadata").mkdir()
    (tmp_path / "metadata" / "_SUCCESS").touch()
    monkeypatch.setattr(module, "find_in_project", lambda *_: record)
    with pytest.raises(UserError, match=words):
        request().saved_model()


def test_texts_come_from_the_command_line_a_file_or_a_folder(tmp_path):
    given = Request("m", None, texts=("So good!", "So bad."))
    assert given.inputs(TEXT) == ({"1": b"So good!", "2": b"So bad."}, ["1", "2"])
    assert given.target("run") is None
    (tmp_path / "lines.txt").write_bytes(b"one\n\ncaf\xe9\n")
    assert request(tmp_path / "lines.txt").inputs(TEXT)[0] == {"1": b"one", "3": b"caf\xe9"}
    (tmp_path / "table.csv").write_text('text\n"one, two"\n', encoding="utf-8")
    assert request(tmp_path / "table.csv").inputs(TEXT)[0] == {"0": b"one, two"}
    assert request(tmp_path).inputs(TEXT) == (tmp_path, ["lines.txt"])


def test_texts_that_cannot_be_predicted_are_refused(tmp_path):
    (tmp_path / "empty.txt").write_text("\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"empty.txt holds no text. Give a file with a text on every line"):
        request(tmp_path / "empty.txt").inputs(TEXT)
    with pytest.raises(UserError, match="m reads images, so --text says nothing to it"):
        Request("m", None, texts=("So good!",)).inputs(IMAGE)
    for folder, texts in ((None, ()), ("a", ("b",))):
        with pytest.raises(UserError, match="Give what shall be predicted once"):
            Request("m", folder, texts=texts)
