"""The look that all plots share."""

from itertools import cycle, islice

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

# Okabe and Ito, "Color Universal Design", 2008; its yellow is left out because it vanishes on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
# Of Tol's "muted" scheme (SRON/EPS/TN/09-002, 2021), for the eighth name and beyond.
MORE_COLOURS = ("#882255", "#999933", "#332288")
LINE_STYLES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "p", "h")
GREY = "#6B6B6B"
LIGHT_GREY = "#E6E6E6"
SEQUENTIAL = "Blues"
# What `star` draws, on a background that shows it.
PUT_TOGETHER = Line2D([], [], color="#333333", marker="*", linestyle="", label="resumed or restarted")
DPI = 150


def new_figure(
    rows: int = 1, columns: int = 1, size: tuple[float, float] = (7.0, 4.5), title: str = "", sharey: bool = False
) -> tuple[Figure, np.ndarray]:
    """Makes a figure of a size in inches without any pyplot state, and its axes, (rows, columns) object."""
    figure = Figure(figsize=size, dpi=DPI, layout="constrained", facecolor="white")
    if title:
        figure.suptitle(title, fontsize=12, fontweight="bold")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=sharey)
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=8.5, colors="#333333")
        ax.set_axisbelow(True)
        ax.grid(color=LIGHT_GREY, linewidth=0.8)
    return figure, axes


def label_axes(ax: Axes, title: str = "", x: str = "", y: str = "") -> None:
    """Writes title and axis labels in the shared sizes."""
    ax.set_title(title, fontsize=10, loc="left")
    ax.set_xlabel(x, fontsize=9)
    ax.set_ylabel(y, fontsize=9)


def star(ax: Axes, x: float, y: float, colour: str = "white") -> None:
    """Marks a time that is put together from parts, by a star within its point."""
    ax.plot(x, y, "*", markersize=5, markeredgewidth=0, color=colour)


def message(ax: Axes, text: str) -> None:
    """Writes a sentence where a plot would have been."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, ha="center", va="center", fontsize=10, color=GREY, wrap=True)


def message_figure(title: str, text: str, size: tuple[float, float] = (7.0, 2.0)) -> Figure:
    """Makes a figure that says in a sentence why nothing is drawn."""
    figure, axes = new_figure(size=size, title=title)
    message(axes[0, 0], text)
    return figure


def colours(names: list[str]) -> dict[str, str]:
    """Gives every name a colour; beyond ten they repeat."""
    return dict(zip(names, islice(cycle(PALETTE + MORE_COLOURS), len(names)), strict=True))


def markers(names: list[str]) -> dict[str, str]:
    """Gives every name a marker shape; beyond the list they repeat."""
    return dict(zip(names, islice(cycle(MARKERS), len(names)), strict=True))
