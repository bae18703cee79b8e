"""Scores of a learner over the stream that it learned from."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from cifar_pipelines.plots import style

STYLES = ("-", "--", ":", "-.")


def plot_stream(history: pd.DataFrame, title: str) -> Figure:
    """Draws accuracy and log loss while a learner learned.

    Args:
        history: One row per block: `first`, `images`, and the scores `accuracy` and `log_loss` of all images so far, of the last ones
            (`window_*`) and, in some rows, of held-out images (`holdout_*`).
        title: Title of the figure.
    """
    figure, axes = style.new_figure(1, 2, size=(11, 3.8), title=title)
    images = history["first"] + history["images"]
    for ax, score, words in zip(axes[0], ("accuracy", "log_loss"), ("accuracy", "log loss"), strict=True):
        ax.plot(images, history[score], color=style.GREY, label="all images, before they were learned")
        ax.plot(images, history[f"window_{score}"], color=style.PALETTE[0], label="the last ones")
        if (held_out := f"holdout_{score}") in history:
            there = history[held_out].notna()
            ax.plot(
                images[there], history.loc[there, held_out], color=style.PALETTE[1], marker="o", markersize=3, label="held-out images",
            )  # fmt: skip
        style.label_axes(ax, words, "images of the stream")
        ax.set_ylim(bottom=0)
        ax.legend(fontsize=8, frameon=False)
    axes[0][0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return figure


def plot_models(rows: pd.DataFrame) -> Figure:
    """Draws accuracy and log loss of all learners of a stream in one figure.

    Args:
        rows: One row per block and learner: `model`, `first`, `images`, `window_accuracy` and `window_log_loss`.
    """
    figure, axes = style.new_figure(1, 2, size=(11, 4.4), title="The last images before they were learned, by learner")
    colour = style.colours(sorted(rows["model"].unique()))
    # What some learners lose on an image has no bound, and the others are to be told apart.
    most = max(2.5, float(rows.groupby("model")["window_log_loss"].median().median()) * 2.5)
    for number, (model, own) in enumerate(rows.groupby("model")):
        images = own["first"] + own["images"]
        look = {"color": colour[model], "linestyle": STYLES[number // len(style.PALETTE) % 4]}
        loss = own["window_log_loss"]
        unseen = f" (beyond the axis: {loss.iloc[-1]:.1f})" if loss.min() > most else ""
        for ax, score in zip(axes[0], ("window_accuracy", "window_log_loss"), strict=True):
            ax.plot(images, own[score], label=f"{model}{unseen}", **look)
    for ax, words in zip(axes[0], ("accuracy", "log loss"), strict=True):
        style.label_axes(ax, words, "images of the stream")
    axes[0][0].set_ylim(0, 1)
    axes[0][0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes[0][1].set_ylim(0, most)
    axes[0][1].legend(fontsize=8, frameon=False)
    return figure


def plot_pace(log: pd.DataFrame) -> Figure:
    """Draws how long frames took from when they were due, and how many waited.

    Args:
        log: One row per frame: `scheduled_at`, `landed_at` and `committed_at` in seconds since 1970, and `waiting`.
    """
    figure, axes = style.new_figure(1, 2, size=(11, 3.8), title="How late frames were learned, and how many waited")
    time = log["committed_at"] - log["scheduled_at"].min()
    for column, words, colour in (
        ("committed_at", "learned, and the commit on the disk", style.PALETTE[0]),
        ("landed_at", "landed", style.GREY),
    ):
        axes[0][0].plot(time, log[column] - log["scheduled_at"], ".", markersize=3, color=colour, label=words)
    axes[0][0].legend(fontsize=8, frameon=False)
    axes[0][1].step(time, log["waiting"], where="post", color=style.PALETTE[1])
    for ax, words in zip(axes[0], ("seconds after it was due", "frames that wait"), strict=True):
        style.label_axes(ax, words, "seconds of the stream")
        ax.set_ylim(bottom=0)
    return figure
