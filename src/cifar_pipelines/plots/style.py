"""The look that all plots share, and how names stand in them: as they are, whatever signs they hold."""

import logging
import warnings
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from itertools import chain, cycle, islice
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib import font_manager
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Text

logger = logging.getLogger(__name__)

# Okabe and Ito, "Color Universal Design", 2008; its yellow is left out because it vanishes on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
# Of Tol's "muted" scheme (SRON/EPS/TN/09-002, 2021), for the eighth name and beyond.
MORE_COLOURS = ("#882255", "#999933", "#332288")
# Models keep the colour of their place here for ever: append, never insert. One that is not here has a colour all the same.
OWN_COLOURS = (
    *(
        "logistic_regression",
        "multilayer_perceptron",
        "random_forest",
        "airbench_bigdl",
        "features:",
        "lenet_bigdl",
        "linear_svm",
    ),
    *("airbench_torch_distributor", "lenet_torch_distributor", "gradient_boosted_trees"),
    *("stream_ridge", "stream_mlp", "stream_linear_discriminant", "stream_sgd_logistic", "stream_nearest_class_mean"),
    *("stream_random_features", "stream_naive_bayes", "stream_sgd_svm", "stream_kmeans", "stream_mlp_replay"),
    *("mobilenet_v2_torch_distributor", "lite0_torch_distributor", "lite0_bigdl", "mobilenet_v2_bigdl"),
    *(
        "lite1_probe_torch_distributor",
        "lite1_tuned_torch_distributor",
        "lite1_torch_distributor",
        "probe_torch_distributor",
    ),
)
TINTS = 3  # of every colour
DARK = 280  # a colour whose channels add up to less cannot be made darker
LINE_STYLES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "p", "h")
GREY = "#6B6B6B"
LIGHT_GREY = "#E6E6E6"
SEQUENTIAL = "Blues"
# What `star` draws, on a background that shows it.
PUT_TOGETHER = Line2D([], [], color="#333333", marker="*", linestyle="", label="resumed or restarted")
DPI = 150
WIDTH = 8.0  # inches of a figure in the report, whose letters are then nearly as large as those of its text
LETTERS_PER_INCH = 11  # of a legend
TITLE_LETTERS_PER_INCH = 9  # of a figure's title, whose lines end where the figure does
FONT = "DejaVu Sans"  # comes with matplotlib


class PlainFigure(Figure):
    """A figure that draws every text as it is: no sign is mathematics, and a font is looked for that has all signs.

    Attributes:
        instead: The sentence that says why nothing is drawn; None where something is. It goes into the file, and a report
            tells the sentence instead of showing the file.
    """

    instead: str | None = None

    def savefig(self, *args: Any, **look: Any) -> None:
        """Saves the figure."""
        if self.instead:
            look["metadata"] = {**(look.get("metadata") or {}), "Description": self.instead}
        super().savefig(*args, **look)

    def draw(self, renderer: Any) -> None:
        """Draws the figure."""
        texts = [text for text in self.findobj(Text) if not text.get_text().isascii() or "$" in text.get_text()]
        family = fonts_for(frozenset("".join(text.get_text() for text in texts)))
        for text in texts:
            # The powers beside a logarithmic axis are matplotlib's own mathematics.
            text.set_parse_math(text.get_text().startswith(r"$\mathdefault"))
            text.set_fontfamily(family)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"Glyph \d+ .*missing from font")  # `fonts_for` says it once
            super().draw(renderer)


@cache
def fonts_for(signs: frozenset[str]) -> tuple[str, ...]:
    """Names the font of all plots and, where it lacks signs, an installed one that has most of them."""
    lacking = _lacking(font_manager.findfont(FONT), signs)
    if not lacking:
        return (FONT,)
    installed = font_manager.fontManager.ttflist
    fonts = {font.name: font.fname for font in installed if not font.name.startswith("Last Resort")}  # has boxes alone
    best = min(sorted(fonts), key=lambda name: len(_lacking(fonts[name], lacking)))
    if boxes := _lacking(fonts[best], lacking):
        _say_boxes("".join(sorted(boxes)[:10]))
    return (FONT,) if boxes == lacking else (FONT, best)


@cache
def _lacking(file: str, signs: frozenset[str]) -> frozenset[str]:
    """The printed signs that a font does not have; all of them where it cannot be read."""
    try:
        font = font_manager.get_font(file)
    except Exception:  # a broken font of the host is one without signs
        return signs
    return frozenset(sign for sign in signs if sign.isprintable() and not font.get_char_index(ord(sign)))


@cache
def _say_boxes(examples: str) -> None:
    logger.warning(
        "No installed font has all signs of the names, such as %s: plots show boxes in their place. Install a font that "
        "has them, such as Noto Sans CJK for Chinese, Japanese and Korean, and draw again.",
        examples,
    )


def new_figure(
    rows: int = 1, columns: int = 1, size: tuple[float, float] = (7.0, 4.5), title: str = "", sharey: bool = False
) -> tuple[Figure, np.ndarray]:
    """Makes a figure of a size in inches without any pyplot state, and its axes, (rows, columns) object."""
    figure = PlainFigure(figsize=size, dpi=DPI, layout="constrained", facecolor="white")
    if title:
        lines = [wrap(line, int(TITLE_LETTERS_PER_INCH * size[0])) for line in title.splitlines()]
        figure.suptitle("\n".join(chain.from_iterable(lines)), fontsize=12, fontweight="bold")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=sharey)
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=9, colors="#333333")
        ax.set_axisbelow(True)
        ax.grid(color=LIGHT_GREY, linewidth=0.8)
    return figure, axes


def label_axes(ax: Axes, title: str = "", x: str = "", y: str = "") -> None:
    """Writes title and axis labels in the shared sizes."""
    ax.set_title(title, fontsize=10, loc="left")
    ax.set_xlabel(x, fontsize=9)
    ax.set_ylabel(y, fontsize=9)


def legend(figure: Figure, handles: Sequence[Artist], title: str = "", **more: Any) -> Legend:
    """Puts a legend below the axes, for which the figure grows; labels that begin with an underscore are in it too."""
    labels = [str(handle.get_label()) for handle in handles]
    width, height = figure.get_size_inches()
    columns = max(1, min(len(labels), int(LETTERS_PER_INCH * width / (max(map(len, labels), default=1) + 6))))
    figure.set_size_inches(width, height + 0.22 * -(-len(labels) // columns))
    look = {"loc": "outside lower center", "fontsize": 9, "title_fontsize": 9, "frameon": False, "ncols": columns}
    return figure.legend(handles, labels, title=title, **look, **more)


def shortened(name: object, width: int) -> str:
    """Shortens a name to so many signs; what is left out is in the middle, because beginnings are often the same."""
    text = " ".join(str(name).split())
    head = width * 2 // 3
    return text if len(text) <= width else f"{text[:head]}…{text[len(text) - (width - head - 1) :]}"


def star(ax: Axes, x: float, y: float, colour: str = "white") -> None:
    """Marks a time that is put together from parts, by a star within its point."""
    ax.plot(x, y, "*", markersize=5, markeredgewidth=0, color=colour)


def message(ax: Axes, text: str) -> None:
    """Writes a sentence where a plot would have been."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, ha="center", va="center", fontsize=10, color=GREY, wrap=True)


def diagonal(ax: Axes, label: str, **look: Any) -> Line2D:
    """Draws the line from (0, 0) to (1, 1), with which a curve is compared; `look` is what is special of it."""
    (line,) = ax.plot([0, 1], [0, 1], color=GREY, linewidth=0.9, linestyle=(0, (2, 4)), label=label, **look)
    return line


def message_figure(title: str, text: str, size: tuple[float, float] = (7.0, 2.0)) -> Figure:
    """Makes a figure that says in a sentence why nothing is drawn."""
    figure, axes = new_figure(size=size, title=title)
    message(axes[0, 0], text)
    figure.instead = text
    return figure


def colours(names: Sequence[str]) -> dict[str, str]:
    """Gives every name its colour, which it has in every plot and every report, whatever else is drawn.

    A model of the project has the colour of its place in `OWN_COLOURS`, any other name one by its digest. Where that is taken, as by
    one model on two kinds of features, the later one in alphabetical order gets another tint of it, and where all are taken the
    next colour that is free: up to thirty names differ.
    """
    chosen: dict[str, str] = {}
    for name in sorted(names, key=lambda name: (name not in OWN_COLOURS, name)):
        place, taken = _place(name), set(chosen.values())
        tints = [_tint(place + step, number) for step in range(len(PALETTE + MORE_COLOURS)) for number in range(TINTS)]
        chosen[name] = next((tint for tint in tints if tint not in taken), tints[0])
    return {name: chosen[name] for name in names}


def colours_in_order(names: Sequence[str]) -> dict[str, str]:
    """Gives names that are no models the colours one after the other; beyond ten they repeat."""
    return dict(zip(names, islice(cycle(PALETTE + MORE_COLOURS), len(names)), strict=True))


def _place(name: str) -> int:
    """The place of a name among all colours and their tints."""
    model = name.split(" ")[0]
    return OWN_COLOURS.index(model) if model in OWN_COLOURS else int(sha256(model.encode()).hexdigest(), 16)


def _tint(place: int, further: int) -> str:
    """The colour of a place, or one so many tints further: the colour, a darker one (of a dark colour a lighter one), a pale one."""
    palette = PALETTE + MORE_COLOURS
    colour, number = palette[place % len(palette)], (place // len(palette) + further) % TINTS
    channels = [int(colour[start : start + 2], 16) for start in (1, 3, 5)]
    end, share = (255, 0.55) if number == 2 else (255, 0.3) if sum(channels) < DARK else (0, 0.45)
    return "#" + "".join(f"{round(value + (end - value) * (share if number else 0)):02X}" for value in channels)


def markers(names: list[str]) -> dict[str, str]:
    """Gives every name a marker shape; beyond the list they repeat."""
    return dict(zip(names, islice(cycle(MARKERS), len(names)), strict=True))
