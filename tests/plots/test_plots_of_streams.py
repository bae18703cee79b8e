import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from cifar_pipelines.plots.of_stream import plot_models, plot_pace


def test_every_learner_has_a_line_and_huge_losses_hide_no_other():
    blocks = pd.DataFrame({"first": [0, 10, 20], "images": 10, "window_accuracy": [0.1, 0.5, 0.7]})
    rows = pd.concat(blocks.assign(model=f"m{n}", window_log_loss=30.0 if n == 8 else 1.0) for n in range(9))
    figure = plot_models(rows)
    accuracy, loss = figure.axes
    assert len(accuracy.lines) == 9 and len({(line.get_color(), line.get_linestyle()) for line in loss.lines}) == 9
    assert accuracy.lines[0].get_xdata().tolist() == [10, 20, 30] and loss.get_ylim()[1] == 2.5
    assert [text.get_text() for text in loss.get_legend().get_texts()] == [
        *(f"m{n}" for n in range(8)),
        "m8 (beyond the axis: 30.0)",
    ]
    plt.close(figure)


def test_nothing_is_said_to_be_beyond_the_axis_where_every_line_is_seen():
    blocks = pd.DataFrame(
        {"first": [0, 10], "images": 10, "window_accuracy": [0.1, 0.5], "window_log_loss": [30.0, 1.0]}
    )
    figure = plot_models(blocks.assign(model="m"))
    (name,) = figure.axes[1].get_legend().get_texts()
    assert name.get_text() == "m"
    plt.close(figure)


def test_lateness_is_counted_from_when_frames_were_due():
    log = pd.DataFrame(
        {"scheduled_at": [100.0, 101.0], "landed_at": [100.5, 101.5], "committed_at": [102.0, 105.0], "waiting": [1, 0]}
    )
    before = log.assign(scheduled_at=1.0, landed_at=1.5)
    figure = plot_pace(pd.concat([before.assign(live=False), log.assign(live=True)]))
    late, waiting = figure.axes
    learned, landed = late.lines
    assert np.allclose(learned.get_ydata(), [2, 4]) and np.allclose(landed.get_ydata(), 0.5)
    assert np.allclose(learned.get_xdata(), [2, 5]) and waiting.lines[0].get_ydata().tolist() == [1, 0]
    plt.close(figure)
    for nothing_live in (before.assign(live=False), log[:0].assign(live=True)):
        message = plot_pace(nothing_live)
        assert any("landed before this run" in text.get_text() for text in message.texts + message.axes[0].texts)
        plt.close(message)


def test_held_out_images_have_a_line_of_their_own():
    rows = pd.DataFrame(
        {"model": "m", "first": [0, 10], "images": 10, "window_accuracy": [0.1, 0.5], "window_log_loss": [3.0, 1.0],
         "holdout_accuracy": [None, 0.6], "holdout_log_loss": [None, 1.2]}
    )  # fmt: skip
    figure = plot_models(rows)
    *_, accuracy, loss = figure.axes
    assert accuracy.lines[0].get_xdata().tolist() == [20] and loss.lines[0].get_ydata().tolist() == [1.2]
    plt.close(figure)
