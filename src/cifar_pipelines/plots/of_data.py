"""Plots of images: the distribution of the classes, and sample images."""

import textwrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cifar_pipelines.common.images import decode
from cifar_pipelines.sources import SPLITS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MIN_COLUMNS, MAX_COLUMNS = 5, 10  # fewer would leave no room for the title
MAX_ROWS = 20


def plot_class_distribution(counts: pd.DataFrame, title: str) -> "Figure":
    """Draws how many images each class has in each split: two panels of bars, training on the left.

    Args:
        counts: Columns `split` ("train" or "test"), `class_name` (str) and `count` (images, int), one row
            per split and class, classes in the order of their labels.
        title: The figure's title.
    """
    from cifar_pipelines.plots.style import GREY, PALETTE, label_axes, new_figure

    table = counts.pivot_table(
        index="class_name", columns="split", values="count", aggfunc="sum", fill_value=0, sort=False
    ).reindex(columns=list(SPLITS), fill_value=0)
    classes = len(table)
    few = classes <= 30
    height = 1.5 + (0.32 if few else 0.17) * max(classes, 4)  # inches: title, axes and caption, and the bars
    figure, axes = new_figure(1, 2, (10, height), textwrap.fill(title, 90), sharey=True)
    for ax, split, colour in zip(axes[0], SPLITS, PALETTE, strict=False):
        values = table[split].to_numpy()
        bars = ax.barh(range(classes), values, height=0.72, color=colour)
        ax.bar_label(bars, [f"{value:,}" for value in values], padding=3, fontsize=9 if few else 6.5)
        ax.set_xlim(0, max(values.max(initial=0), 1) * 1.18)  # room for the values at the bars
        ax.xaxis.set_major_formatter("{x:,.0f}")
        ax.locator_params(axis="x", nbins=5, integer=True)
        ax.tick_params(axis="y", length=0, labelsize=9 if few else 6.5)
        ax.grid(False, axis="y")
        kind = {"train": "Training", "test": "Test"}[split]
        label_axes(ax, f"{kind}: {values.sum():,} images", "Images")
    ax.set_yticks(range(classes), [textwrap.shorten(str(name), 32, placeholder="…") for name in table.index])
    ax.set_ylim(classes - 0.4, -0.6)  # the first class on top, as in the tables
    caption = f"Source: the index of the images, {classes} classes. The panels have different scales."
    figure.supxlabel(caption, fontsize=8, color=GREY, x=0.01, ha="left")
    return figure


def plot_sample_sheet(samples: dict[str, list[bytes]], title: str) -> "Figure":
    """Draws sample images, one row per class; a note says how many classes were left out.

    Args:
        samples: For each class name, encoded images of any size; the first ten are
            drawn, for the first twenty classes.
        title: The figure's title.
    """
    from PIL import Image

    from cifar_pipelines.plots.style import GREY, new_figure

    shown = list(samples.items())[:MAX_ROWS]
    rows, cell = max(len(shown), 1), 0.78  # inches
    columns = min(max([MIN_COLUMNS, *(len(images) for _, images in shown)]), MAX_COLUMNS)
    figure, axes = new_figure(rows, columns, (1.6 + cell * columns, 0.95 + cell * rows), title)
    for ax in axes.flat:
        ax.set_axis_off()
    for row, (name, images) in zip(axes, shown, strict=False):
        label = textwrap.shorten(str(name), 22, placeholder="…")
        row[0].text(-0.12, 0.5, label, transform=row[0].transAxes, ha="right", va="center", fontsize=10)
        for ax, encoded in zip(row, images, strict=False):
            image = Image.fromarray(decode(encoded))
            image.thumbnail((256, 256))  # a large photograph would only make the file large
            ax.imshow(np.asarray(image), interpolation="nearest" if max(image.size) <= 64 else "antialiased")
    left_out = len(samples) - len(shown)
    note = f" The first {MAX_ROWS} classes; {left_out} more were left out." if left_out > 0 else ""
    caption = f"Source: images as stored, in their proportions.{note}"
    figure.supxlabel(caption, fontsize=8, color=GREY, x=0.01, ha="left")
    return figure
