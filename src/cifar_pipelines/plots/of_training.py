"""Learning curves: loss, accuracy and learning rate by epoch, of one network or of several."""

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from cifar_pipelines.plots import style
from cifar_pipelines.plots.registry import comparison_plot

# By the split that they are of: nothing is chosen by test images.
CURVES = {"validation": "validation (cut from training)", "test": "validation on test images (nothing is chosen by it)"}
# Across a curve, at the first epoch of a phase.
PHASE_BEGINS: dict[str, Any] = {"marker": "|", "markersize": 13, "markeredgewidth": 1.8, "linestyle": ""}


def plot_learning_curves(
    history: pd.DataFrame, title: str, validation_from: str = "test", phases: Sequence[str] = ()
) -> Figure:
    """Draws loss, accuracy and learning rate of one training.

    Args:
        history: One row per epoch: `epoch`, `loss`, `accuracy`, `validation_loss`, `validation_accuracy`,
            `learning_rate`, `images_per_s`.
        title: Title of the figure.
        validation_from: The split of the images behind `validation_loss` and `validation_accuracy`, "validation" or "test".
        phases: The phases of a transfer, in words; `history` then has the column `phase`.
    """
    figure, axes = style.new_figure(1, 3, size=(12, 3.8), title=title)
    losses, accuracies, rates = axes[0]
    for ax, score in ((losses, "loss"), (accuracies, "accuracy")):
        training = "training (augmented images)"
        seen = history[history[score].notna()]  # mixed images have no accuracy
        if len(seen):
            ax.plot(seen["epoch"], seen[score], color=style.GREY, marker="o", markersize=3, label=training)
        ax.plot(
            history["epoch"], history[f"validation_{score}"], color=style.PALETTE[0], marker="o", markersize=3,
            label=CURVES[validation_from],
        )  # fmt: skip
        style.label_axes(ax, score, "epoch")
        ax.legend(fontsize=8, frameon=False)
    last = history.iloc[-1]
    accuracies.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    accuracies.annotate(
        f"{last['validation_accuracy']:.1%}", (last["epoch"], last["validation_accuracy"]), fontsize=8,
        color=style.PALETTE[0], xytext=(0, -12), textcoords="offset points", ha="right",
    )  # fmt: skip
    rates.plot(history["epoch"], history["learning_rate"], color=style.PALETTE[1], marker="o", markersize=3)
    style.label_axes(rates, f"learning rate; {history['images_per_s'].median():.0f} images/s", "epoch")
    for ax in axes[0]:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        ax.set_ylim(bottom=0)
        _mark_phases(ax, history, phases)
    return figure


def _mark_phases(ax: Axes, history: pd.DataFrame, phases: Sequence[str]) -> None:
    """Draws a line where each phase begins, with its words beside it."""
    if not phases:
        return
    for number, epoch in history.groupby("phase")["epoch"].min().items():
        ax.axvline(epoch - 0.5, color=style.GREY, linestyle=":", linewidth=1)
        ax.annotate(
            phases[int(number) - 1], (epoch - 0.5, 0), xycoords=ax.get_xaxis_transform(), fontsize=7, rotation=90,
            color=style.GREY, xytext=(2, 4), textcoords="offset points", va="bottom",
        )  # fmt: skip


@comparison_plot("learning_curves", "Learning curves", section="learning", inputs=["study_histories", "study_table"])
def plot_all_histories(histories: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """Draws the validation curves of every network under every setting, by epoch and by time.

    Colour is the network, line style and the shape at the end of a curve are the setting; a bar across the curve of a
    transfer is where first epoch of a further phase.

    Args:
        histories: What `histories_table` returned of a study.
        summary: The summary that it belongs to; colours and shapes are those of the other plots of it.
    """
    title = "Learning curves"
    if histories.empty:
        return style.message_figure(title, "No network was trained yet.", size=(style.WIDTH, 2.0))
    figure, axes = style.new_figure(1, 2, size=(style.WIDTH, 4.2), title=title)
    line = axes[0]
    colour = style.colours(sorted(summary["label"].unique()))
    ordered = summary.sort_values(["cores", "executor_cores"])["setting"].unique()
    shape = style.markers(ordered.tolist())
    settings = [name for name in ordered if name in set(histories["setting"])]
    dashes = dict(zip(settings, cycle(style.LINE_STYLES)))
    for (label, setting), history in histories.groupby(["label", "setting"], sort=False):
        marked, begins = history["put_together"].any(), _begins(history)
        end = {"marker": shape[setting], "markevery": [-1], "markersize": 10 if marked else 8}
        for ax, x in zip(line, (history["epoch"], _elapsed(history)), strict=True):
            ax.plot(
                x, history["validation_accuracy"], dashes[setting], color=colour[label], linewidth=1.4,
                markeredgecolor="white", alpha=0.85, **end,
            )  # fmt: skip
            if begins.any():
                ax.plot(x[begins], history["validation_accuracy"][begins], color=colour[label], **PHASE_BEGINS)
        if marked:
            style.star(line[1], _elapsed(history).iloc[-1], history["validation_accuracy"].iloc[-1])
    style.label_axes(line[0], x="epoch", y="validation accuracy")
    style.label_axes(line[1], x="seconds of training and validation", y="validation accuracy")
    line[0].xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    for ax in line:
        ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    handles = [Patch(color=colour[name], label=name) for name in sorted(histories["label"].unique())]
    handles += [
        Line2D([], [], color="#333333", linestyle=dashes[name], marker=shape[name], label=name) for name in settings
    ]
    if _begins(histories).any():
        handles.append(Line2D([], [], color="#333333", label="first epoch of a further phase", **PHASE_BEGINS))
    if histories["put_together"].any():
        handles.append(style.PUT_TOGETHER)
    style.legend(figure, handles, handlelength=3.5)
    return figure


def _elapsed(history: pd.DataFrame) -> pd.Series:
    return (history["seconds"] + history["validation_seconds"]).cumsum()


def _begins(history: pd.DataFrame) -> pd.Series:
    """Whether each epoch is the first of a phase that follows another."""
    return history["phase"].astype(float).diff() > 0
