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
    """Draws accuracy and log loss of all learners of a stream in one figure: of its own last images, and of held-out images.

    Args:
        rows: One row per block and learner: `model`, `first`, `images`, `window_accuracy` and `window_log_loss`; in some rows
            `holdout_accuracy` and `holdout_log_loss`.
    """
    whose = {"window": "of the last images, before they were learned"}
    if "holdout_accuracy" in rows and rows["holdout_accuracy"].notna().any():
        whose["holdout"] = "of held-out images"
    figure, axes = style.new_figure(
        len(whose), 2, size=(11, 3.9 * len(whose) + 0.5), title="All learners of the stream"
    )
    colour = style.colours(sorted(rows["model"].unique()))
    for line, (kind, words) in zip(axes, whose.items(), strict=True):
        accuracy, loss = f"{kind}_accuracy", f"{kind}_log_loss"
        there = rows[rows[accuracy].notna()]
        # What some learners lose on an image has no bound, and the others are to be told apart.
        most = max(2.5, float(there.groupby("model")[loss].median().median()) * 2.5)
        for number, (model, own) in enumerate(there.groupby("model")):
            images = own["first"] + own["images"]
            look = {"color": colour[model], "linestyle": STYLES[number // len(style.PALETTE) % 4]}
            unseen = f" (beyond the axis: {own[loss].iloc[-1]:.1f})" if own[loss].min() > most else ""
            for ax, score in zip(line, (accuracy, loss), strict=True):
                ax.plot(
                    images,
                    own[score],
                    label=f"{model}{unseen}",
                    marker="o" if kind == "holdout" else None,
                    markersize=3,
                    **look,
                )
        for ax, score in zip(line, ("accuracy", "log loss"), strict=True):
            style.label_axes(ax, f"{score}\n{words}", "images of the stream")
        line[0].set_ylim(0, 1)
        line[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        line[1].set_ylim(0, most)
        line[1].legend(fontsize=8, frameon=False)
    return figure


def plot_pace(log: pd.DataFrame) -> Figure:
    """Draws how long frames took from when they were due, and how many waited.

    Args:
        log: One row per frame: `scheduled_at`, `landed_at` and `committed_at` in seconds since 1970, `waiting`, and `live`: whether the frame
            landed while it was learned from. How late others were learned says when the run was started, so they are not drawn.
    """
    title = "How late frames were learned, and how many waited"
    live = log[log["live"]]
    if live.empty:
        return style.message_figure(
            title,
            "All frames had landed before this run, so how late it learned them says nothing.",
            size=(style.WIDTH, 2.0),
        )
    figure, axes = style.new_figure(1, 2, size=(11, 3.8), title=title)
    time = live["committed_at"] - live["scheduled_at"].min()
    for column, words, colour in (
        ("committed_at", "learned, and the commit on the disk", style.PALETTE[0]),
        ("landed_at", "landed", style.GREY),
    ):
        axes[0][0].plot(time, live[column] - live["scheduled_at"], ".", markersize=3, color=colour, label=words)
    axes[0][0].legend(fontsize=8, frameon=False)
    axes[0][1].step(time, live["waiting"], where="post", color=style.PALETTE[1])
    for ax, words in zip(axes[0], ("seconds after it was due", "frames that wait"), strict=True):
        style.label_axes(ax, words, "seconds of the stream")
        ax.set_ylim(bottom=0)
    return figure
