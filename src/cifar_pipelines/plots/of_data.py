"""Plots of images: the distribution of the classes, and sample images."""

import textwrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cifar_pipelines.common.images import decode
from cifar_pipelines.common.words import counted
from cifar_pipelines.sources import SPLITS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MIN_COLUMNS, MAX_COLUMNS = 5, 10  # fewer would leave no room for the title
MAX_ROWS = 20
# Of the sample sheet, where a side of an image is 1: from image to image, and the room for names.
PITCH, NAMES = 1.1, 2.1
MOST_BARS = 150  # beyond this, bars with names cannot be read, and take their time


def plot_class_distribution(counts: pd.DataFrame, title: str) -> "Figure":
    """Draws how many images each class has in each split: a panel for each that has some, training on the left.

    There is a bar for every class, or, with more classes than anyone can read, a curve over the classes by size.

    Args:
        counts: Columns `split` ("train", "validation" or "test"), `class_name` (str) and `count` (images, int), one row
            per split and class, classes in the order of their labels.
        title: The figure's title.
    """
    from cifar_pipelines.plots.style import GREY, PALETTE, label_axes, new_figure

    table = counts.pivot_table(
        index="class_name", columns="split", values="count", aggfunc="sum", fill_value=0, sort=False
    )
    splits = [split for split in SPLITS if split in table]
    classes = len(table)
    many = classes > MOST_BARS
    # In inches: title, axes and caption, and the bars.
    height = 4.5 if many else 1.5 + (0.32 if classes <= 30 else 0.17) * max(classes, 4)
    figure, axes = new_figure(1, len(splits), (10, height), textwrap.fill(title, 90), sharey=not many)
    for ax, split, colour in zip(axes[0], splits, PALETTE, strict=False):
        (_draw_sizes if many else _draw_bars)(ax, table[split], colour)
        kind = {"train": "Training", "validation": "Validation", "test": "Test"}[split]
        axes_named = {"x": "Classes, by size", "y": "Images"} if many else {"x": "Images"}
        label_axes(ax, f"{kind}: {counted(table[split].sum(), 'image')}", **axes_named)
    if not many:
        axes[0, 0].set_ylim(classes - 0.4, -0.6)  # the first class on top, as in the tables
    caption = (
        f"Source: the index of the images, {counted(classes, 'class', 'classes')}. The panels have different scales."
    )
    figure.supxlabel(caption, fontsize=8, color=GREY, x=0.01, ha="left")
    return figure


def _draw_bars(ax: "Axes", sizes: "pd.Series[int]", colour: str) -> None:
    """Draws a bar for every class, with its name and its number of images."""
    from cifar_pipelines.plots.style import shortened

    font = 9 if len(sizes) <= 30 else 6.5
    bars = ax.barh(range(len(sizes)), sizes, height=0.72, color=colour)
    ax.bar_label(bars, [f"{value:,}" for value in sizes], padding=3, fontsize=font)
    ax.set_xlim(0, max(sizes.max(), 1) * 1.18)  # room for the values at the bars
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.locator_params(axis="x", nbins=5, integer=True)
    ax.tick_params(axis="y", length=0, labelsize=font)
    ax.grid(False, axis="y")
    ax.set_yticks(range(len(sizes)), [shortened(name, 32) for name in sizes.index])


def _draw_sizes(ax: "Axes", sizes: "pd.Series[int]", colour: str) -> None:
    """Draws the numbers of images of all classes, the largest first, and names the largest and the smallest."""
    from cifar_pipelines.plots.style import GREY, shortened

    ordered = sizes.sort_values(ascending=False, kind="stable")
    ax.fill_between(range(1, len(ordered) + 1), ordered, step="mid", color=colour, linewidth=0)
    ax.set_xlim(0.5, len(ordered) + 0.5)
    ax.set_ylim(0, max(ordered.max(), 1) * 1.25)  # room for the words
    ax.locator_params(axis="y", nbins=6, integer=True)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter("{x:,.0f}")
    ends = (("largest", ordered.index[0], ordered.iloc[0]), ("smallest", ordered.index[-1], ordered.iloc[-1]))
    words = [f"{end}: {shortened(name, 32)}, {value:,}" for end, name, value in ends]
    words.append(f"median: {ordered.median():,.0f}")
    ax.text(0.98, 0.98, "\n".join(words), transform=ax.transAxes, ha="right", va="top", fontsize=8.5, color=GREY)


def plot_sample_sheet(samples: dict[str, list[bytes]], title: str) -> "Figure":
    """Draws sample images, one row per class; a note says how many classes were left out.

    Args:
        samples: For each class name, encoded images of any size; the first ten are
            drawn, for the first twenty classes.
        title: The figure's title.
    """
    from PIL import Image

    from cifar_pipelines.plots.cells import draw_image, frame
    from cifar_pipelines.plots.style import GREY, new_figure, shortened

    shown = list(samples.items())[:MAX_ROWS]
    rows, cell = max(len(shown), 1), 0.78  # inches
    columns = min(max([MIN_COLUMNS, *(len(images) for _, images in shown)]), MAX_COLUMNS)
    figure, axes = new_figure(size=(1.6 + cell * columns, 0.95 + cell * rows), title=title)
    ax = axes[0, 0]
    for row, (name, images) in enumerate(shown):
        ax.text(-0.12, (row + 0.5) * PITCH, shortened(name, 22), ha="right", va="center", fontsize=10)
        for column, encoded in enumerate(images[:columns]):
            image = Image.fromarray(decode(encoded))
            image.thumbnail((256, 256))  # a large photograph would only make the file large
            below = (1 - image.height / max(image.size)) / 2  # a wide image stands in the middle of its line
            look = "nearest" if max(image.size) <= 64 else "antialiased"
            draw_image(ax, np.asarray(image), (column + 0.5) * PITCH, (row + 1) * PITCH - 0.05 - below, look)
    frame(ax, -NAMES, columns * PITCH, rows * PITCH)
    left_out = len(samples) - len(shown)
    note = f" The first {MAX_ROWS} classes; {left_out:,} more were left out." if left_out > 0 else ""
    caption = f"Source: images as stored, in their proportions.{note}"
    figure.supxlabel(caption, fontsize=8, color=GREY, x=0.01, ha="left")
    return figure
