import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from cifar_pipelines.plots import of_training
from cifar_pipelines.plots.of_training import plot_learning_curves


def make_history(epochs, reached=0.9):
    epoch = np.arange(1, epochs + 1)
    score = reached * epoch / epochs
    return pd.DataFrame(
        {
            "epoch": epoch,
            "loss": 2.0 - score,
            "accuracy": score,
            "validation_loss": 2.1 - score,
            "validation_accuracy": score - 0.05,
            "learning_rate": 0.1,
            "seconds": 2.0,
            "validation_seconds": 0.5,
            "images_per_s": 1234.0,
        }
    )


def _words(figure: Figure) -> str:
    figure.savefig(io.BytesIO(), dpi=40)
    return " ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


@pytest.mark.parametrize("epochs", [1, 12])
def test_learning_curves_show_training_and_validation(epochs):
    history = make_history(epochs)
    figure = plot_learning_curves(history, "lenet: learning curves")
    losses, accuracies, rates = figure.axes
    for ax, score in ((losses, "loss"), (accuracies, "accuracy")):
        training, validation = (line.get_ydata() for line in ax.lines)
        assert list(training) == list(history[score])
        assert list(validation) == list(history[f"validation_{score}"])
    assert list(rates.lines[0].get_xdata()) == list(history["epoch"])
    words = _words(figure)
    assert "lenet: learning curves" in words and "augmented" in words
    assert "validation on test images (nothing is chosen by it)" in words
    assert "validation (cut from training)" in _words(plot_learning_curves(history, "x", "validation"))
    assert "85.0%" in words and "1234 images/s" in words


@pytest.mark.parametrize("nothing", [None, np.nan])
def test_mixed_images_have_no_curve_of_their_accuracy(nothing):
    history = make_history(3).assign(accuracy=nothing)
    _, accuracies, _ = plot_learning_curves(history, "lenet").axes
    assert [line.get_label() for line in accuracies.lines] == [of_training.CURVES["test"]]
