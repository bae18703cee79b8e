import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image
from sklearn.metrics import roc_curve as sklearn_roc_curve
from tests.factories.records import CLASS_NAMES, make_images, make_predictions

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.images import load_batch
from cifar_pipelines.judging.metrics import evaluate
from cifar_pipelines.plots.of_model import (
    choose_gallery_ids,
    plot_confusion_matrix,
    plot_gallery,
    plot_roc_curves,
    roc_curve,
)


def _words(figure: Figure) -> str:
    figure.savefig(io.BytesIO(), dpi=40)
    return " ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


@pytest.mark.parametrize("n_classes", [10, 40])
def test_confusion_matrix_and_roc_curves_draw(n_classes):
    names = [f"class {k}" for k in range(n_classes)]
    table = make_predictions(200, names, present=range(n_classes - 1))
    metrics = evaluate(table, names)
    figure = plot_confusion_matrix(metrics, names, "Confusion")
    assert figure.axes[0].images[0].get_array().shape == (n_classes, n_classes)
    words = _words(plot_roc_curves(table, names, "ROC"))
    assert "macro average" in words and "1 class without test images" in words


def test_roc_curves_are_those_of_scikit_learn():
    generator = np.random.default_rng(1)
    positive, score = generator.random(300) < 0.3, generator.integers(0, 40, 300) / 40
    false_rate, true_rate = roc_curve(positive, score)
    wanted = sklearn_roc_curve(positive, score, drop_intermediate=False)
    np.testing.assert_allclose(false_rate, wanted[0])
    np.testing.assert_allclose(true_rate, wanted[1])


@pytest.mark.parametrize("names", [("_background_", "$", "$$"), ("$a_1$", r"\$", "__")])
def test_every_name_stands_in_the_plots_as_it_is(names, recwarn):
    table = make_predictions(60, names)
    figure = plot_roc_curves(table, names, "ROC")
    _words(figure)
    labels = [text.get_text().rpartition(": ")[0] for text in figure.legends[0].get_texts()]
    assert sorted(labels) == sorted((*names, "macro average", "chance"))
    assert not any(text.get_parse_math() for text in figure.legends[0].get_texts() if "$" in text.get_text())
    matrix = plot_confusion_matrix(evaluate(table, names), names, names[1])
    worst = choose_gallery_ids(table, correct=True, count=3)
    gallery = plot_gallery(table, make_images(worst), names, True, names[2], count=3)
    assert names[1] in _words(matrix) and names[2] in _words(gallery)
    assert [label.get_text() for label in matrix.axes[0].get_yticklabels()] == list(names)
    assert not recwarn.list


def test_hundreds_of_classes_make_plots_of_what_can_be_read():
    names = [f"class {k}" for k in range(400)]
    table = make_predictions(400, names, skill=3)
    matrix = plot_confusion_matrix(evaluate(table, names), names, "Confusion")
    words = _words(matrix)
    assert "The most frequent confusions:\nclass " in words and words.count("taken for class") == 5
    assert words.count("class ") < 15  # of these, and of the axes
    said = [text.get_text() for text in plot_roc_curves(table, names, "ROC").legends[0].get_texts()]
    assert said[0] == "nine tenths of all classes" and len(said) == 1 + 6 + 2


def test_roc_curve_of_one_class_only_says_so():
    one_class = plot_roc_curves(make_predictions(9, present=[1]), CLASS_NAMES, "ROC", "validation image")
    assert "All validation images are of one class, so there is no ROC curve." in _words(one_class)


@settings(max_examples=20)
@given(count=st.integers(1, 30), seed=st.integers(0, 99), correct=st.booleans())
def test_gallery_choice_laws(count, seed, correct):
    table = make_predictions(80, seed=seed)
    ids = choose_gallery_ids(table, correct, count)
    rows = table.set_index("image_id").loc[ids]
    assert ids == choose_gallery_ids(table.sample(frac=1, random_state=1), correct, count)
    pool = table[(table["label"] == table["prediction"]) == correct]
    assert len(ids) == len(set(ids)) == min(count, len(pool))
    assert ((rows["label"] == rows["prediction"]) == correct).all()
    if correct:  # spread: while classes last, none is shown twice before all were shown once
        first = rows["label"].iloc[: pool["label"].nunique()]
        assert first.is_unique
    else:
        confidence = [p[k] for p, k in zip(rows["probability"], rows["prediction"], strict=True)]
        assert confidence == sorted(confidence, reverse=True)


def test_gallery_shows_truth_prediction_and_probability():
    table = make_predictions(60)
    worst = choose_gallery_ids(table, correct=False, count=3)
    figure = plot_gallery(table, make_images(worst), CLASS_NAMES, False, "Wrong", count=3)
    row = table.set_index("image_id").loc[worst[0]]
    words = _words(figure)
    assert f"true: {CLASS_NAMES[row['label']]}" in words
    assert f"said: {CLASS_NAMES[row['prediction']]}\n{row['probability'].max():.0%}" in words
    assert len(figure.axes[0].images) == 3


def test_gallery_says_when_there_is_nothing_to_show():
    table = make_predictions(8, skill=100)
    assert "None of 8 test images was classified wrong" in _words(plot_gallery(table, {}, CLASS_NAMES, False, "Wrong"))
    validated = plot_gallery(table, {}, CLASS_NAMES, False, "Wrong", judged_on="validation image")
    assert "None of 8 validation images was classified wrong" in _words(validated)


def test_gallery_names_the_image_that_is_missing():
    with pytest.raises(UserError, match="no image for image_id"):
        plot_gallery(make_predictions(60), {}, CLASS_NAMES, True, "Right")


def test_the_gallery_shows_the_picture_that_the_model_saw():
    gray = np.arange(0, 65536, 1024, dtype=np.uint16).reshape(8, 8)
    buffer = io.BytesIO()
    Image.fromarray(gray).save(buffer, "PNG")
    table = make_predictions(9)
    images = dict.fromkeys(table["image_id"], buffer.getvalue())
    figure = plot_gallery(table, images, CLASS_NAMES, True, "Gallery", count=1)
    shown = next(axes.images[0].get_array() for axes in figure.axes if axes.images)
    np.testing.assert_array_equal(shown, load_batch([buffer.getvalue()], 8)[0].permute(1, 2, 0).numpy())
    assert len(np.unique(shown)) == 64  # scaled, not clipped
