"""Plots of texts: samples of every class, and those that a model got right and wrong."""

import textwrap
from collections.abc import Mapping, Sequence
from itertools import zip_longest

import pandas as pd
from matplotlib.figure import Figure

from cifar_pipelines.common.texts import decode
from cifar_pipelines.common.words import counted, one_line
from cifar_pipelines.judging.predictions import check_predictions
from cifar_pipelines.plots import style
from cifar_pipelines.plots.of_model import choose_gallery_ids

SHOWN = 12  # texts of a figure
WIDTH, LINES = 118, 3  # letters of a line, lines of a text


def plot_sample_texts(samples: Mapping[str, Sequence[bytes]], title: str) -> Figure:
    """Shows the beginnings of texts, one class after another.

    Args:
        samples: For each class name, encoded texts.
        title: The figure's title.
    """
    turns = zip_longest(*([(name, text) for text in texts] for name, texts in samples.items()))
    shown = [one for turn in turns for one in turn if one is not None][:SHOWN]
    return _listed([(name, decode(text), "#222222") for name, text in sorted(shown, key=lambda one: one[0])], title)


def plot_text_gallery(
    predictions: pd.DataFrame,
    texts: Mapping[str, bytes],
    class_names: Sequence[str],
    correct: bool,
    title: str,
    judged_on: str = "test text",
) -> Figure:
    """Shows judged texts with their true class, their predicted class and its probability.

    Args:
        predictions: A predictions table.
        texts: Encoded texts by id; needs those of `choose_gallery_ids` only.
        class_names: The n_classes names, in the order of the labels.
        correct: True shows right predictions, False the most confident wrong ones.
        title: Title of the figure.
        judged_on: What one of those is called that were predicted; see `contents.judged_on`.
    """
    checked = check_predictions(predictions, class_names)
    ids = choose_gallery_ids(predictions, correct, SHOWN)
    if not ids:
        kind = "right" if correct else "wrong"
        return style.message_figure(title, f"None of {counted(len(checked.label), judged_on)} was classified {kind}.")
    at = {text_id: row for row, text_id in enumerate(checked.image_id)}
    rows = []
    for text_id in ids:
        row = at[text_id]
        said = f"{class_names[checked.prediction[row]]}, {checked.confidence[row]:.1%}"
        if not correct:
            said = f"true: {class_names[checked.label[row]]}, predicted: {said}"
        rows.append((f"{said}   ({text_id})", decode(texts[text_id]), "#222222" if correct else style.PALETTE[1]))
    return _listed(rows, title)


def _listed(rows: Sequence[tuple[str, str, str]], title: str) -> Figure:
    """A figure of texts below each other: a heading, the beginning of the text, the colour of the heading."""
    height = 0.62
    figure, axes = style.new_figure(size=(9.5, 0.6 + height * max(len(rows), 1)), title=title)
    ax = axes[0, 0]
    ax.set_axis_off()
    ax.set_xlim(0, 1)
    ax.set_ylim(-len(rows), 0)
    for number, (heading, text, colour) in enumerate(rows):
        # A dollar would begin a formula.
        lines = textwrap.wrap(one_line(text, WIDTH * LINES - 4), WIDTH)
        ax.text(0, -number - 0.02, heading.replace("$", r"\$"), va="top", fontsize=8.5, color=colour, fontweight="bold")
        ax.text(0, -number - 0.27, "\n".join(lines).replace("$", r"\$"), va="top", fontsize=7)
    return figure
