"""The plot of right and wrong predictions of one model by confidence: the probability of the predicted class."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from cifar_pipelines.common.words import counted
from cifar_pipelines.judging.predictions import check_predictions
from cifar_pipelines.judging.statistics import (
    CALIBRATION_BINS,
    confidence_bins,
    expected_calibration_error,
    wilson_interval,
)
from cifar_pipelines.plots import style


def plot_confidence(
    predictions: pd.DataFrame, class_names: Sequence[str], title: str, judged_on: str = "test image"
) -> Figure:
    """Draws how sure a model is where it is right and where it is wrong, and how often it is right by how sure it is.

    The bins are those of the calibration error, which is the mean distance of the points from the diagonal, over images.

    Args:
        predictions: A predictions table.
        class_names: The n_classes names, in the order of the labels.
        title: Title of the figure.
        judged_on: What one of those is called that were predicted; see `contents.judged_on`.

    Raises:
        UserError: The table breaks a rule of `check_predictions`.
    """
    checked = check_predictions(predictions, class_names)
    figure, axes = style.new_figure(1, 2, size=(style.WIDTH, 3.6), title=title)
    shares, reliability = axes[0]
    keys = _draw_shares(shares, checked.confidence, checked.correct, judged_on)
    keys += _draw_reliability(reliability, checked.confidence, checked.correct)
    error = expected_calibration_error(checked.confidence, checked.correct)
    style.label_axes(shares, "how sure it is", "confidence", "share of the right, of the wrong")
    style.label_axes(reliability, f"how right it is then: calibration error {error:.3f}", "confidence", "accuracy")
    for ax in (shares, reliability):
        ax.set_xlim(0, 1)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=0))
    reliability.set(xlim=(0, 1.02), ylim=(0, 1.02))
    style.legend(figure, keys)
    return figure


def _draw_shares(ax: Axes, confidence: np.ndarray, correct: np.ndarray, judged_on: str) -> list[Artist]:
    """Draws the distribution of the confidence of right and of wrong predictions, each adding up to 1."""
    width, keys = 1 / CALIBRATION_BINS, []
    for side, (name, which) in enumerate((("right", correct), ("wrong", ~correct))):
        counts = np.bincount(confidence_bins(confidence[which]), minlength=CALIBRATION_BINS)
        left = (np.arange(CALIBRATION_BINS) + 0.05 + 0.45 * side) * width
        bars = ax.bar(left, counts / max(counts.sum(), 1), 0.45 * width, align="edge", color=style.PALETTE[side])
        bars.set_label(f"{name}: {counted(int(counts.sum()), judged_on)}")
        keys.append(bars)
    return keys


def _draw_reliability(ax: Axes, confidence: np.ndarray, correct: np.ndarray) -> list[Artist]:
    """Draws the accuracy within each bin that is not empty, at its mean confidence, with its Wilson interval."""
    place = confidence_bins(confidence)
    counts, right, sure = (
        np.bincount(place, weights, CALIBRATION_BINS) for weights in (None, correct.astype(float), confidence)
    )
    there = np.flatnonzero(counts)
    accuracy = right[there] / counts[there]
    low, high = np.transpose([wilson_interval(int(right[k]), int(counts[k])) for k in there])
    points = ax.errorbar(
        sure[there] / counts[there], accuracy, yerr=(accuracy - low, high - accuracy), fmt="o-", markersize=4,
        linewidth=1.2, elinewidth=0.9, capsize=2, color=style.PALETTE[2], label="accuracy within a bin, 95% interval",
    )  # fmt: skip
    return [points, style.diagonal(ax, "as right as sure", zorder=1)]
