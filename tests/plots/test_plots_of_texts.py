import pandas as pd

from cifar_pipelines.plots.of_texts import plot_sample_texts, plot_text_gallery

TEXTS = {"a": b"It cost $5 and $6.", "b": b"word " * 1000}
PREDICTIONS = pd.DataFrame(
    {"image_id": ["a", "b"], "label": [0, 1], "prediction": [0, 0], "probability": [[0.9, 0.1], [0.7, 0.3]]}
)


def words_of(figure):
    figure.canvas.draw()
    return [text.get_text() for text in figure.axes[0].texts]


def test_samples_show_the_beginnings_of_texts_by_class():
    words = words_of(plot_sample_texts({"neg": [TEXTS["a"]], "pos": [TEXTS["b"]]}, "Texts"))
    assert words[0] == "neg" and words[1] == r"It cost \$5 and \$6." and words[3].endswith(" …")


def test_a_gallery_shows_right_and_wrong_texts_with_their_classes():
    right, wrong = (
        words_of(plot_text_gallery(PREDICTIONS, TEXTS, ["neg", "pos"], correct, "Texts")) for correct in (True, False)
    )
    assert right[0] == "neg, 90.0%   (a)"
    assert wrong[0] == "true: pos, predicted: neg, 70.0%   (b)"


def test_a_gallery_of_nothing_says_so():
    figure = plot_text_gallery(PREDICTIONS[:1], TEXTS, ["neg", "pos"], False, "Texts")
    assert "None of 1 test text was classified wrong." in words_of(figure)
