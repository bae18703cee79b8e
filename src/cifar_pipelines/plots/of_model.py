"""Plots of one trained model: confusion matrix, ROC curves, right and wrong examples."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.images import decode
from cifar_pipelines.common.words import counted
from cifar_pipelines.judging.metrics import confusions
from cifar_pipelines.judging.predictions import CheckedPredictions, check_predictions
from cifar_pipelines.plots import style
from cifar_pipelines.plots.cells import draw_image, frame

MOST_NUMBERED_CLASSES = 20  # beyond this, numbers in the cells and a legend per class cannot be read
MOST_NAMED_CLASSES = 80  # beyond this, no name beside a row can be read
GALLERY_SIZE, GALLERY_COLUMNS = 20, 7
# Of a cell of the gallery: an image whose longer side is 1, and above it one line, or three for a wrong prediction.
CELL_WIDTH, CELL_HEIGHT = 1.15, {True: 1.35, False: 1.7}


def plot_confusion_matrix(metrics: Mapping, class_names: Sequence[str], title: str) -> Figure:
    """Draws the confusion matrix: counts in the cells, the share of the true class as colour.

    With more classes than can be named, rows and columns are numbered, and the most frequent confusions are named below.

    Args:
        metrics: What `evaluate` returned for the same classes.
        class_names: The n_classes names, in the order of the labels.
        title: Title of the figure.
    """
    counts = np.asarray(metrics["confusion_matrix"], dtype=np.int64)
    n_classes = len(class_names)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = float(np.clip(0.4 * n_classes + 2, 4.2, 14))
    figure, axes = style.new_figure(size=(side + 0.8, side), title=title)
    ax = axes[0, 0]
    ax.grid(False)
    image = ax.imshow(share, cmap=style.SEQUENTIAL, vmin=0, vmax=1)
    if n_classes <= MOST_NAMED_CLASSES:
        names = [style.shortened(name, 32) for name in class_names]
        ax.set_xticks(range(n_classes), names, rotation=45, ha="right", rotation_mode="anchor")
        ax.set_yticks(range(n_classes), names)
        ax.tick_params(labelsize=9 if n_classes <= MOST_NUMBERED_CLASSES else 250 / n_classes, length=0)
    else:
        figure.supxlabel(_confusions(counts, class_names), fontsize=8, color=style.GREY, x=0.01, ha="left")
    if n_classes <= MOST_NUMBERED_CLASSES:
        for row, column in np.ndindex(counts.shape):
            if counts[row, column]:
                colour = "white" if share[row, column] > 0.55 else "#222222"
                ax.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=9, color=colour)
    number = "" if n_classes <= MOST_NAMED_CLASSES else ", by number"
    style.label_axes(ax, x=f"predicted class{number}", y=f"true class{number}")
    bar = figure.colorbar(image, ax=ax, shrink=0.8, label="share of the true class")
    bar.outline.set_visible(False)
    return figure


def _confusions(counts: np.ndarray, class_names: Sequence[str]) -> str:
    """Names the classes that were most often taken for another one, a line each."""
    names = [style.shortened(name, 32) for name in class_names]
    lines = [f"{one.true} taken for {one.predicted}: {counted(one.times, 'time')}" for one in confusions(counts, names)]
    return "\n".join(["The most frequent confusions:", *lines]) if lines else "No image was taken for another class."


def plot_roc_curves(
    predictions: pd.DataFrame, class_names: Sequence[str], title: str, judged_on: str = "test image"
) -> Figure:
    """Draws one-vs-rest ROC curves and their macro average.

    The macro curve is the mean true positive rate of the classes at each false positive rate. Classes
    that are absent from the labels have no curve. With many classes only the three best and the three
    worst are named, and a band holds nine tenths of all.

    Args:
        predictions: A predictions table.
        class_names: The n_classes names, in the order of the labels.
        title: Title of the figure.
        judged_on: What one of those is called that were predicted; see `contents.judged_on`.

    Raises:
        UserError: The table breaks a rule of `check_predictions`.
    """
    checked = check_predictions(predictions, class_names)
    figure, axes = style.new_figure(size=(6.4, 5.2), title=title)
    ax = axes[0, 0]
    curves = _roc_curves(checked, class_names)
    if not curves:
        style.message(ax, f"All {judged_on}s are of one class, so there is no ROC curve.")
        return figure
    few = len(curves) <= MOST_NUMBERED_CLASSES
    grid = np.linspace(0, 1, 501)
    on_grid = np.stack([np.interp(grid, *rates) for _, _, *rates in curves])
    keys: list[Artist] = []
    if not few:
        low, high = np.quantile(on_grid, (0.05, 0.95), axis=0)
        keys.append(
            ax.fill_between(grid, low, high, color=style.LIGHT_GREY, zorder=1, label="nine tenths of all classes")
        )
    for rank, (area, name, *rates) in enumerate(curves if few else curves[:3] + curves[-3:]):
        look = {
            "color": style.PALETTE[rank % len(style.PALETTE)],
            "linestyle": style.LINE_STYLES[rank // len(style.PALETTE) % len(style.LINE_STYLES)],
        }
        keys += ax.plot(*rates, linewidth=1.2, label=f"{style.shortened(name, 32)}: {area:.3f}", **look)
    macro = f"macro average: {np.mean([curve[0] for curve in curves]):.3f}"
    keys += ax.plot(grid, on_grid.mean(axis=0), color=style.GREY, linewidth=3.2, alpha=0.8, label=macro)
    keys.append(style.diagonal(ax, "chance: 0.500"))
    ax.set_aspect("equal")
    absent = len(class_names) - len(curves)
    left_out = f"{counted(absent, 'class', 'classes')} without {judged_on}s left out" if absent else ""
    style.label_axes(ax, left_out, "false positive rate", "true positive rate")
    style.legend(figure, keys, "area under the curve" if few else "area under the curve\n(3 best and 3 worst classes)")
    return figure


def _roc_curves(
    checked: CheckedPredictions, class_names: Sequence[str]
) -> list[tuple[float, str, np.ndarray, np.ndarray]]:
    """Area, class, false and true positive rates of every class that is there but not alone, largest area first."""
    curves = []
    for k, name in enumerate(class_names):
        positive = checked.label == k
        if 0 < positive.sum() < len(positive):
            false_rate, true_rate = roc_curve(positive, checked.probability[:, k])
            curves.append((float(np.trapezoid(true_rate, false_rate)), str(name), false_rate, true_rate))
    return sorted(curves, key=lambda curve: -curve[0])


def roc_curve(positive: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns false and true positive rates, from 0 to 1; that of scikit-learn takes too long for thousands of classes.

    Args:
        positive: (n,) bool, of both values.
        score: (n,) float; images of the same score pass together.
    """
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)
    passed = np.append(0, np.flatnonzero(last) + 1)
    true = np.append(0, np.cumsum(positive[order])[last])
    false = passed - true
    return false / false[-1], true / true[-1]


def choose_gallery_ids(predictions: pd.DataFrame, correct: bool, count: int = GALLERY_SIZE) -> list[str]:
    """Chooses the images of a gallery.

    Args:
        predictions: A predictions table; rules are checked by the plot that shows the gallery.
        correct: True for a seeded choice of right predictions, spread evenly over the classes; False
            for wrong predictions, the most confident first.
        count: Largest number of images, at least 1.

    Returns:
        At most `count` image ids, in the order of the gallery.
    """
    right = predictions["label"] == predictions["prediction"]
    chosen = predictions[right if correct else ~right].sort_values("image_id")
    if not correct:
        confidence = [row[k] for row, k in zip(chosen["probability"], chosen["prediction"], strict=True)]
        order = np.argsort(-np.asarray(confidence, dtype=np.float64), kind="stable")
        return chosen["image_id"].iloc[order[:count]].tolist()
    shuffled = chosen.sample(frac=1, random_state=0)
    by_class = [ids.tolist() for _, ids in shuffled.groupby("label")["image_id"]]
    return [image_id for turn in zip_longest(*by_class) for image_id in turn if image_id is not None][:count]


def plot_gallery(
    predictions: pd.DataFrame,
    images: Mapping[str, bytes],
    class_names: Sequence[str],
    correct: bool,
    title: str,
    count: int = GALLERY_SIZE,
    judged_on: str = "test image",
) -> Figure:
    """Shows judged images with their true class, their predicted class and its probability.

    Args:
        predictions: A predictions table.
        images: encoded images by image id; needs those of `choose_gallery_ids` only.
        class_names: The n_classes names, in the order of the labels.
        correct: True shows right predictions, False the most confident wrong ones.
        title: Title of the figure.
        count: Largest number of images.
        judged_on: What one of those is called that were predicted; see `contents.judged_on`.

    Returns:
        The figure; a sentence stands in it when there is no such prediction.

    Raises:
        UserError: The table breaks a rule, or an image is missing.
    """
    checked = check_predictions(predictions, class_names)
    ids = choose_gallery_ids(predictions, correct, count)
    if not ids:
        kind = "right" if correct else "wrong"
        return style.message_figure(title, f"None of {counted(len(checked.label), judged_on)} was classified {kind}.")
    columns = min(GALLERY_COLUMNS, len(ids))
    rows = -(-len(ids) // columns)
    width = max(4.2, style.WIDTH / GALLERY_COLUMNS * columns)
    figure, axes = style.new_figure(size=(width, CELL_HEIGHT[correct] * rows + 0.4), title=title)
    ax, colour = axes[0, 0], "#222222" if correct else style.PALETTE[1]
    at = {image_id: row for row, image_id in enumerate(checked.image_id)}
    for place, image_id in enumerate(ids):
        if image_id not in images:
            raise UserError(
                f"The gallery has no image for image_id {image_id!r}. "
                "Give the bytes of every image that choose_gallery_ids names."
            )
        row = at[image_id]
        predicted, true = (style.shortened(class_names[of[row]], 11) for of in (checked.prediction, checked.label))
        text = f"{predicted}, {checked.confidence[row]:.0%}"
        if not correct:
            text = f"true: {true}\nsaid: {predicted}\n{checked.confidence[row]:.0%}"
        middle, bottom = (place % columns + 0.5) * CELL_WIDTH, (place // columns + 1) * CELL_HEIGHT[correct] - 0.05
        top = draw_image(ax, decode(images[image_id], 256), middle, bottom)
        ax.text(middle, top - 0.05, text, fontsize=8, color=colour, ha="center", va="bottom")
    frame(ax, 0, columns * CELL_WIDTH, rows * CELL_HEIGHT[correct])
    return figure
