"""Plots of images: the distribution of the classes, and sample images."""

import textwrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cifar_pipelines.common.images import decode
from cifar_pipelines.sources import SPLITS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {"train": "#4477AA", "test": "#EE7733"}  # distinguishable with any colour vision
INK, MUTED = "#222222", "#666666"
MIN_COLUMNS, MAX_COLUMNS = 5, 10  # fewer would leave no room for the title
MAX_ROWS = 20


def plot_class_distribution(counts: pd.DataFrame, title: str) -> "Figure":
    """Draws how many images each class has in each split.

    Args:
        counts: Columns `split` ("train" or "test"), `class_name` (str) and `count` (images, int), one row
            per split and class, classes in the order of their labels.
        title: The figure's title.

    Returns:
        Two panels of horizontal bars, training on the left, with a shared axis of classes.
    """
    from matplotlib.figure import Figure

    table = counts.pivot_table(
        index="class_name", columns="split", values="count", aggfunc="sum", fill_value=0, sort=False
    ).reindex(columns=list(SPLITS), fill_value=0)
    classes = len(table)
    height_per_class = 0.32 if classes <= 30 else 0.17  # inches
    font = 9 if classes <= 30 else 6.5
    chrome = 1.5  # inches for the title, the axes and the caption
    figure = Figure(figsize=(10, chrome + height_per_class * max(classes, 4)), dpi=120, layout="constrained")
    figure.suptitle(textwrap.fill(title, 90), fontsize=13, fontweight="bold", color=INK, x=0.01, ha="left")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)
    positions = np.arange(classes)
    for axes, split in zip(figure.subplots(1, 2, sharey=True), SPLITS, strict=True):
        values = table[split].to_numpy()
        bars = axes.barh(positions, values, height=0.72, color=COLOURS[split])
        axes.bar_label(bars, [f"{value:,}" for value in values], padding=3, fontsize=font, color=INK)
        kind = {"train": "Training", "test": "Test"}[split]
        axes.set_title(f"{kind}: {values.sum():,} images", fontsize=11, color=COLOURS[split], loc="left")
        axes.set_xlim(0, max(values.max(initial=0), 1) * 1.18)  # room for the values at the bars
        axes.set_xlabel("Images", fontsize=9, color=MUTED)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.locator_params(axis="x", nbins=5, integer=True)
        axes.tick_params(axis="x", labelsize=8, colors=MUTED)
        axes.tick_params(axis="y", length=0, labelsize=font)
        axes.grid(axis="x", color="#DDDDDD", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.spines["left"].set_color("#AAAAAA")
    axes.set_yticks(positions, [textwrap.shorten(str(name), 32, placeholder="…") for name in table.index])
    axes.set_ylim(classes - 0.4, -0.6)  # the first class on top, as in the tables
    figure.supxlabel(
        f"Source: the index of the images, {classes} classes. The panels have different scales.",
        fontsize=8,
        color=MUTED,
        x=0.01,
        ha="left",
    )
    return figure


def plot_sample_sheet(samples: dict[str, list[bytes]], title: str) -> "Figure":
    """Draws sample images, one row per class.

    Args:
        samples: For each class name, encoded images (PNG or JPEG bytes) of any size; the first ten are
            drawn, for the first twenty classes.
        title: The figure's title.

    Returns:
        The sheet; a note says how many classes were left out.
    """
    from matplotlib.figure import Figure
    from PIL import Image

    shown = list(samples.items())[:MAX_ROWS]
    rows, cell = max(len(shown), 1), 0.78  # inches
    columns = min(max([MIN_COLUMNS, *(len(images) for _, images in shown)]), MAX_COLUMNS)
    top, bottom = 0.55, 0.4
    width, height = 1.6 + cell * columns, top + cell * rows + bottom
    figure = Figure(figsize=(width, height), dpi=150)
    grid = figure.subplots(rows, columns, squeeze=False)
    figure.subplots_adjust(
        left=1.5 / width, right=1 - 0.1 / width, top=1 - top / height, bottom=bottom / height,
        wspace=0.06, hspace=0.06,
    )  # fmt: skip
    figure.text(0.1 / width, 1 - 0.2 / height, title, fontsize=13, fontweight="bold", color=INK, va="top")
    for axes in grid.flat:
        axes.set_axis_off()
    for row, (name, images) in zip(grid, shown, strict=False):
        label = textwrap.shorten(str(name), 22, placeholder="…")
        row[0].text(-0.12, 0.5, label, transform=row[0].transAxes, ha="right", va="center", fontsize=10)
        for axes, encoded in zip(row, images, strict=False):
            image = Image.fromarray(decode(encoded))
            image.thumbnail((256, 256))  # a large photograph would only make the file large
            axes.imshow(np.asarray(image), interpolation="nearest" if max(image.size) <= 64 else "antialiased")
    left_out = len(samples) - len(shown)
    note = f" The first {MAX_ROWS} classes; {left_out} more were left out." if left_out > 0 else ""
    figure.text(
        0.1 / width, 0.12 / height, f"Source: images as stored, in their proportions.{note}", fontsize=8, color=MUTED
    )
    return figure
