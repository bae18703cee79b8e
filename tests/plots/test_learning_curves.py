import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from cifar_pipelines.plots.of_training import plot_histories, plot_learning_curves


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
    assert "lenet: learning curves" in words and "validation" in words and "augmented" in words
    assert "85.0%" in words and "1234 images/s" in words


def test_histories_are_drawn_by_epoch_and_by_time():
    histories = {"airbench, 1 worker": make_history(3), "airbench, 2 workers": make_history(6, reached=0.8)}
    figure = plot_histories(histories, "Learning curves")
    by_epoch, by_time = figure.axes
    assert [list(line.get_xdata()) for line in by_epoch.lines] == [[1, 2, 3], [1, 2, 3, 4, 5, 6]]
    assert list(by_time.lines[0].get_xdata()) == [2.5, 5.0, 7.5]
    assert len({line.get_color() for line in by_epoch.lines}) == 2
    for name in histories:
        assert name in _words(figure)


def test_without_a_history_the_figure_says_so():
    assert "No CNN was trained yet." in _words(plot_histories({}, "Learning curves"))
