import json

import pytest
from click.testing import CliRunner

from cifar_pipelines.prediction.command import score


@pytest.fixture
def files(tmp_path):
    """Five images that were predicted, of which four are right, and a sixth with a truth alone."""
    (tmp_path / "mine.csv").write_text(
        "image,label,probability\n2.png,dog,0.6\n1.png,cat,0.9\n10.png,cat,0.8\n3.png,7,1.0\n4.png,7,0.5\n"
    )
    (tmp_path / "mine.json").write_text(json.dumps({"classes": ["cat", "dog", "7"]}))
    (tmp_path / "theirs.csv").write_text(
        "image,label,probability\n1.png,dog,0.6\n2.png,dog,0.6\n3.png,7,1\n10.png,dog,1\n4.png,cat,1\n"
    )
    (tmp_path / "truth.csv").write_text(
        "image,label,who\n1.png,cat,me\n2.png,dog,me\n3.png,7,me\n4.png,7,me\n10.png,dog,me\n99.png,dog,me\n"
    )
    return tmp_path


def say(files, *arguments):
    return CliRunner().invoke(score, [str(files / one) if one.endswith(".csv") else one for one in arguments])


def test_predictions_are_judged_by_image_and_never_by_place(files):
    done = say(files, "mine.csv", "truth.csv", "--against", "theirs.csv")
    assert done.exit_code == 0, done.output
    assert "Accuracy: 80.0% (37.6% to 96.4%) of 5 images" in done.output
    assert "Not judged: 1 image with a truth and without a prediction." in done.output
    assert "  dog taken for cat: 1 time (50.0% of dog)\n" in done.output
    assert "+20.0% (2 images only here right, 1 only there), McNemar's p 1" in done.output
    written = json.loads((files / "mine.scores.json").read_text())
    assert written["confusion_matrix"] == [[1, 0, 0], [1, 1, 0], [0, 0, 2]]
    assert written["accuracy"]["value"] == 0.8 and written["without_prediction"] == ["99.png"]


def test_without_a_description_the_classes_are_those_that_are_named(files):
    (files / "mine.json").unlink()
    assert say(files, "mine.csv", "truth.csv").exit_code == 0
    assert json.loads((files / "mine.scores.json").read_text())["classes"] == ["7", "cat", "dog"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("truth.csv", None, "there is no such file. Give a CSV"),
        ("truth.csv", "", "cannot be read as a CSV"),
        ("truth.csv", "image,class\n1.png,cat\n", "has no column 'label'; it has 'image', 'class'"),
        ("truth.csv", "image,label\n", "has no rows"),
        ("truth.csv", "image,label\n1.png,cat\n1.png,dog\n", "holds the image '1.png' more than once"),
        ("truth.csv", "image,label\n1.png,cat\n2.png,dog\n", "3 of 5 images of .*mine.csv have no truth in .*: 10.png, 3.png"),
        ("truth.csv", "image,label\n1.png,cat\n2.png,dog\n3.png,7\n4.png,7\n10.png,bird\n", "The label 'bird' is no class of the model"),
        ("mine.json", "{}", "mine.json does not name the classes"),
        ("theirs.csv", "image,label,probability\n1.png,dog,0.6\n", "hold predictions of other images"),
    ],
)  # fmt: skip
def test_files_that_do_not_fit_are_refused(name, text, words, files):
    (files / name).unlink()
    if text is not None:
        (files / name).write_text(text)
    done = say(files, "mine.csv", "truth.csv", "--against", "theirs.csv")
    assert done.exit_code == 1
    import re

    assert re.search(words, done.output), done.output
