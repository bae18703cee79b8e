"""Learning curves: loss, accuracy and learning rate by epoch, of one network or of several."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from cifar_pipelines.evaluation.style import GREY, PALETTE, colours, label_axes, message, new_figure


def plot_learning_curves(history: pd.DataFrame, title: str) -> Figure:
    """Draws loss, accuracy and learning rate of one training.

    Args:
        history: One row per epoch: `epoch`, `loss`, `accuracy`, `validation_loss`, `validation_accuracy`,
            `learning_rate`, `images_per_s`.
        title: Title of the figure.

    Returns:
        The figure.
    """
    figure, axes = new_figure(1, 3, size=(12, 3.8), title=title)
    losses, accuracies, rates = axes[0]
    for ax, score in ((losses, "loss"), (accuracies, "accuracy")):
        training = "training (augmented images)"
        ax.plot(history["epoch"], history[score], color=GREY, marker="o", markersize=3, label=training)
        ax.plot(
            history["epoch"], history[f"validation_{score}"], color=PALETTE[0], marker="o", markersize=3,
            label="validation",
        )  # fmt: skip
        label_axes(ax, score, "epoch")
        ax.legend(fontsize=8, frameon=False)
    last = history.iloc[-1]
    accuracies.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    accuracies.annotate(
        f"{last['validation_accuracy']:.1%}", (last["epoch"], last["validation_accuracy"]), fontsize=8,
        color=PALETTE[0], xytext=(0, -12), textcoords="offset points", ha="right",
    )  # fmt: skip
    rates.plot(history["epoch"], history["learning_rate"], color=PALETTE[1], marker="o", markersize=3)
    label_axes(rates, f"learning rate; {history['images_per_s'].median():.0f} images/s", "epoch")
    for ax in axes[0]:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        ax.set_ylim(bottom=0)
    return figure


def plot_histories(histories: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """Draws the validation curves of several trainings, by epoch and by time.

    Args:
        histories: Histories by name.
        title: Title of the figure.

    Returns:
        The figure; with a sentence instead of curves where there is no history.
    """
    figure, axes = new_figure(1, 2, size=(11, 4.2), title=title)
    if not histories:
        for ax, text in zip(axes[0], ("No CNN was trained yet.", ""), strict=True):
            message(ax, text)
        return figure
    by_epoch, by_time = axes[0]
    colour = colours(list(histories))
    for name, history in histories.items():
        elapsed = (history["seconds"] + history["validation_seconds"]).cumsum()
        for ax, x in ((by_epoch, history["epoch"]), (by_time, elapsed)):
            ax.plot(x, history["validation_accuracy"], color=colour[name], linewidth=1.4, label=name)
    label_axes(by_epoch, "Validation accuracy by epoch", "epoch")
    label_axes(by_time, "Validation accuracy by time", "seconds of training and validation")
    by_epoch.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    for ax in axes[0]:
        ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    figure.legend(
        *by_epoch.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8, frameon=False
    )
    return figure
