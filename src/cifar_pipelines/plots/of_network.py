"""The diagram of a network: its parts from the image to the classes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from cifar_pipelines.plots import style

if TYPE_CHECKING:
    from cifar_pipelines.training.layers import Part

LINE = 0.42  # inches a part


def plot_network(parts: "Sequence[Part]", given: tuple[str, str], classes: int, total: int, title: str) -> Figure:
    """Draws a chain of boxes, one for each part, with what it makes of an image and how many numbers it learned.

    Args:
        parts: The parts, in the order in which an image passes them.
        given: What goes in, and of what shape.
        classes: Number of classes.
        total: Learned numbers of the network; some may lie outside of its parts.
        title: Title of the figure.
    """
    figure, axes = style.new_figure(1, 1, size=(8, 1.2 + LINE * (len(parts) + 2)), title=title)
    ax = axes[0][0]
    rows = [(*given, "")]
    rows += [(_called(part), " × ".join(map(str, part.shape)), f"{part.parameters:,}") for part in parts]
    rows.append(("classes", str(classes), f"{total:,} in all"))
    ax.set(xlim=(0, 1), ylim=(len(rows) - 0.3, -0.9))
    ax.axis("off")
    for x, heading in ((0.25, "part"), (0.68, f"what it makes of {given[0]}s"), (0.98, "learned numbers")):
        ax.text(x, -0.75, heading, ha="right" if x > 0.9 else "center", va="center", color=style.GREY, fontsize=8)
    for place, (name, shape, learned) in enumerate(rows):
        box = {"boxstyle": "round,pad=0.35", "facecolor": style.LIGHT_GREY if learned in ("", "0") else "white"}
        ax.text(0.25, place, name, ha="center", va="center", fontsize=8, bbox=box | {"edgecolor": style.PALETTE[0]})
        ax.text(0.68, place, shape, ha="center", va="center", fontsize=8)
        ax.text(0.98, place, learned, ha="right", va="center", fontsize=8)
        if place:
            ends = {"xy": (0.25, place - 0.3), "xytext": (0.25, place - 0.7)}
            ax.annotate("", **ends, arrowprops={"arrowstyle": "->", "color": style.GREY})
    return figure


def _called(part: "Part") -> str:
    return f"{part.name}: {part.kind}" + (f", {part.times} times" if part.times > 1 else "")
