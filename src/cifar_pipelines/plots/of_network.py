"""The diagram of a network: its parts from the image to the classes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from cifar_pipelines.plots import style

if TYPE_CHECKING:
    from cifar_pipelines.training.layers import Part

# In print, a tall figure is three fifths as large: its letters have to be larger than those of other plots.
WIDTH, LINE, LETTERS = 7.0, 0.38, 11  # inches of the figure, inches of a part, points
BOXES, SHAPES = 0.23, 0.63  # where they have their middle, as a share of the width


def plot_network(parts: "Sequence[Part]", given: tuple[str, str], classes: int, total: int, title: str) -> Figure:
    """Draws a chain of boxes, one for each part, with what it makes of an image and how many numbers it learned.

    Args:
        parts: The parts, in the order in which an image passes them.
        given: What goes in, and of what shape.
        classes: Number of classes.
        total: Learned numbers of the network; some may lie outside of its parts.
        title: Title of the figure.
    """
    figure, axes = style.new_figure(1, 1, size=(WIDTH, 1 + LINE * (len(parts) + 2)), title=title)
    ax = axes[0][0]
    rows = [(*given, "")]
    rows += [(_called(part), " × ".join(map(str, part.shape)), f"{part.parameters:,}") for part in parts]
    rows.append(("classes", str(classes), f"{total:,} in all"))
    ax.set(xlim=(0, 1), ylim=(len(rows) - 0.3, -0.9))
    ax.axis("off")
    look = {"va": "center", "fontsize": LETTERS}
    for x, heading in ((BOXES, "part"), (SHAPES, f"what it makes of {given[0]}s"), (1, "learned numbers")):
        ax.text(x, -0.8, heading, ha="right" if x == 1 else "center", color=style.GREY, **look)
    for place, (name, shape, learned) in enumerate(rows):
        box = {"boxstyle": "round,pad=0.25", "facecolor": style.LIGHT_GREY if learned in ("", "0") else "white"}
        ax.text(BOXES, place, name, ha="center", bbox=box | {"edgecolor": style.PALETTE[0]}, **look)
        ax.text(SHAPES, place, shape, ha="center", **look)
        ax.text(1, place, learned, ha="right", **look)
        if place:
            ends = {"xy": (BOXES, place - 0.28), "xytext": (BOXES, place - 0.72)}
            ax.annotate("", **ends, arrowprops={"arrowstyle": "->", "color": style.GREY, "shrinkA": 0, "shrinkB": 0})
    return figure


def _called(part: "Part") -> str:
    return style.shortened(f"{part.name}: {part.kind}", 36) + (f", {part.times} times" if part.times > 1 else "")
