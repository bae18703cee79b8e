"""Plots that compare models and settings of the main study: rows of a summary with the columns of `add_scaling`."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, PercentFormatter

from cifar_pipelines.plots import style
from cifar_pipelines.plots.registry import comparison_plot
from cifar_pipelines.records.ranking import fastest_of_each_model
from cifar_pipelines.records.speedup import one_setting, under_several_settings
from cifar_pipelines.records.summary import put_together, trained

_OVERSUBSCRIBED = Patch(facecolor="white", edgecolor=style.GREY, hatch="////", label="more cores than the host")
_BAR_AXIS = "setting: cores x cores per executor"
_HOLLOW = Line2D(
    [], [], marker="o", linestyle="", color=style.GREY, markerfacecolor="none", label="hollow: oversubscribed"
)
_FRONT = Line2D([], [], color=style.GREY, linewidth=1, label="Pareto front")
Draw = Callable[[np.ndarray, pd.DataFrame, dict[str, str], dict[str, str]], None]


@comparison_plot(
    "accuracy_time",
    "Accuracy against fit time; the line, the Pareto front, joins what nothing beats in both",
    section="all_models",
)
def plot_accuracy_time(summary: pd.DataFrame) -> Figure:
    """Draws accuracy with its interval against the fit time, and the Pareto front of the two.

    Colour is the model, shape is the setting, bars are the intervals and the range of the repeats; the line joins the
    points that no other one beats in both respects.
    """

    def draw(axes: np.ndarray, rows: pd.DataFrame, colour: dict[str, str], shape: dict[str, str]) -> None:
        ax = axes[0]
        _against_accuracy(ax, rows, ("time_s", "time_min_s", "time_max_s"), colour, shape)
        style.label_axes(ax, x="fit time [s], log scale", y="accuracy, with its interval")

    return _drawn(summary, trained(summary), "Accuracy against fit time", 1, draw, [_FRONT], shapes=True)


@comparison_plot(
    "accuracy_size", "Accuracy against model size, and against prediction time without features", section="all_models"
)
def plot_accuracy_size(summary: pd.DataFrame) -> Figure:
    """Draws accuracy with its interval against the size of the saved model and against the prediction time, with Pareto fronts.

    Each model by its latest run at its fastest setting. The prediction time is that of all judged images on the executors over
    their number; the extraction of features is not in it.
    """
    models = trained(summary)
    noun = summary["content"].iloc[0]
    costs = {
        "size of the saved model [MB], log scale": models["model_size_bytes"].astype(float) / 1e6,
        f"prediction [ms per {noun}], log scale": 1000 * models["predict_s"].astype(float) / models["test_images"],
    }

    def draw(axes: np.ndarray, rows: pd.DataFrame, colour: dict[str, str], shape: dict[str, str]) -> None:
        for ax, (name, cost) in zip(axes, costs.items(), strict=True):
            known = rows.assign(cost=cost).query("cost > 0")
            if known.empty:
                style.message(ax, "No model has a record of it.")
                continue
            _against_accuracy(ax, known, ("cost", "cost", "cost"), colour, shape)
            style.label_axes(ax, x=name, y="accuracy, with its interval")

    title = "Accuracy against model size and prediction time"
    return _drawn(summary, fastest_of_each_model(models), title, 2, draw, [_FRONT], shapes=True)


@comparison_plot("time_by_setting", "Time by setting", section="times")
def plot_time_by_setting(summary: pd.DataFrame) -> Figure:
    """Draws the median time of every model under every setting, with the range of the repeats.

    One group of bars per model, feature extractions included; hatched bars use more cores than the host has.
    """

    def draw(axes: np.ndarray, rows: pd.DataFrame, colour: dict[str, str], _: dict[str, str]) -> None:
        ax = axes[0]
        whiskers = np.stack([rows["time_s"] - rows["time_min_s"], rows["time_max_s"] - rows["time_s"]])
        at = _grouped_bars(ax, rows, rows["time_s"], colour)
        ax.errorbar(at, rows["time_s"], yerr=whiskers, fmt="none", ecolor="#333333", capsize=2)
        ax.set_yscale("log")
        ax.set_ylim(rows["time_min_s"].min() / 2, rows["time_max_s"].max() * 1.3)
        for x, marked, top in zip(at, put_together(rows), rows["time_max_s"], strict=True):
            if marked:
                ax.annotate("\u2605", (x, top), (0, 3), textcoords="offset points", ha="center", fontsize=7)
        _plain_ticks(ax, "y")
        style.label_axes(ax, x=_BAR_AXIS, y="median time [s], log scale")

    return _drawn(summary, summary, "Fit and extraction time by setting", 1, draw, [_OVERSUBSCRIBED])


@comparison_plot("speedup", "Speed-up and efficiency", section="times")
def plot_speedup(summary: pd.DataFrame) -> Figure:
    """Draws speed-up and parallel efficiency against cores, with the ideal, of models with several settings.

    The line of a model joins its fastest setting at each number of cores; the grey band starts where the host has no
    more cores.
    """

    def draw(axes: np.ndarray, rows: pd.DataFrame, colour: dict[str, str], shape: dict[str, str]) -> None:
        host = rows["host_cores"].iloc[0]
        cores = np.array(sorted(rows["cores"].unique()))
        for ax, quantity in zip(axes, ("speedup", "efficiency"), strict=True):
            for label, group in rows.groupby("label"):
                fastest = group.loc[group.groupby("cores")["time_s"].idxmin()]
                ax.plot(fastest["cores"], fastest[quantity], color=colour[label], linewidth=1.2, alpha=0.7)
                for _, row in group.iterrows():
                    _point(ax, row["cores"], row[quantity], row, colour, shape)
            for reference in rows["reference_cores"].unique():
                line = np.linspace(reference, cores.max(), 50)
                ideal = line / reference if quantity == "speedup" else np.ones(len(line))
                ax.plot(line, ideal, "--", color=style.GREY, linewidth=1)
            right = cores.max() * 1.15
            if cores.max() > host:
                ax.axvspan(host * 1.08, right, color=style.LIGHT_GREY, alpha=0.6, zorder=0, linewidth=0)
            ax.set_xscale("log", base=2)
            ax.set_xticks(cores, [str(value) for value in cores])
            ax.minorticks_off()
            ax.set_xlim(cores.min() / 1.15, right)
            ax.set_ylim(0, 1.06 * ax.dataLim.y1)
        axes[1].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        style.label_axes(axes[0], x="cores (spark.cores.max)", y="speed-up against the smallest setting")
        style.label_axes(axes[1], x="cores (spark.cores.max)", y="parallel efficiency")

    title, several = "Speed-up and efficiency", under_several_settings(summary)
    if several.empty:
        return style.message_figure(title, one_setting(summary))
    keys = [Line2D([], [], color=style.GREY, linestyle="--", label="ideal")]
    if several["cores"].max() > several["host_cores"].iloc[0]:
        keys.append(Patch(color=style.LIGHT_GREY, label="more cores than the host"))
    return _drawn(summary, several, title, 2, draw, keys, shapes=True)


@comparison_plot("resources", "Resource use", section="resources")
def plot_resources(summary: pd.DataFrame) -> Figure:
    """Draws CPU seconds against reserved core-seconds, and the peak memory per executor.

    Points on the line used every reserved core all the time; the upper, paler part of a bar is the memory of the Python
    workers, where it was measured.
    """

    def draw(axes: np.ndarray, rows: pd.DataFrame, colour: dict[str, str], shape: dict[str, str]) -> None:
        used, memory = axes
        points = rows.dropna(subset="utilisation")
        for _, row in points.iterrows():
            _point(used, row["core_seconds"], row["utilisation"] * row["core_seconds"], row, colour, shape)
        if points.empty:
            style.message(used, "No CPU seconds were recorded.")
        else:
            ends = np.array([points["core_seconds"].min() / 1.5, points["core_seconds"].max() * 1.5])
            for share, line in ((1.0, "-"), (0.5, "--"), (0.25, ":")):
                used.plot(ends, share * ends, line, color=style.GREY, linewidth=1, zorder=1)
                used.annotate(f" {share:.0%}", (ends[1], share * ends[1]), fontsize=8, color=style.GREY, va="center")
            used.set_xscale("log")
            used.set_yscale("log")
            _plain_ticks(used, "both")
            style.label_axes(used, x="core-seconds reserved (cores x time)", y="CPU seconds used")
        measured = rows.dropna(subset="executor_jvm_memory_mb")
        if measured.empty:
            style.message(memory, "No executor memory was recorded.")
        else:
            jvm, python = measured["executor_jvm_memory_mb"], measured["executor_python_memory_mb"]
            _grouped_bars(memory, measured, jvm, colour, 6)
            _grouped_bars(memory, measured, python.fillna(0), colour, 6, bottom=jvm, alpha=0.5)
            style.label_axes(memory, x=_BAR_AXIS, y="peak memory per executor [MB]")

    keys = [_OVERSUBSCRIBED]
    if summary["executor_python_memory_mb"].notna().any():
        keys.append(Patch(color=style.GREY, alpha=0.5, label="paler: Python workers"))
    return _drawn(summary, summary, "Resource use", 2, draw, keys, shapes=True)


def pareto_front(rows: pd.DataFrame, cost: str = "time_s") -> pd.DataFrame:
    """Returns the rows that no other row beats in both a cost and `accuracy`; both rise from row to row."""
    ordered = rows.sort_values([cost, "accuracy"], ascending=[True, False])
    before = ordered["accuracy"].astype(float).cummax().shift(fill_value=-np.inf)
    return ordered[ordered["accuracy"] > before]


def _against_accuracy(
    ax: Axes, rows: pd.DataFrame, cost: tuple[str, str, str], colour: dict[str, str], shape: dict[str, str]
) -> None:
    """Draws accuracy with its interval against a cost, and the Pareto front of the two.

    Args:
        ax: Where.
        rows: Rows of a summary.
        cost: The column, and those of its smallest and largest value.
        colour: By model.
        shape: By setting.
    """
    middle, low, high = cost
    for _, row in rows.iterrows():
        spread = [[row[middle] - row[low]], [row[high] - row[middle]]]
        interval = [[row["accuracy"] - row["accuracy_low"]], [row["accuracy_high"] - row["accuracy"]]]
        look = {"color": colour[row["label"]], "elinewidth": 0.8, "alpha": 0.45}
        ax.errorbar(row[middle], row["accuracy"], xerr=spread, yerr=interval, **look)
        _point(ax, row[middle], row["accuracy"], row, colour, shape)
    front = pareto_front(rows, middle)
    ax.step(front[middle], front["accuracy"], where="post", color=style.GREY, linewidth=1, zorder=1)
    ax.set_xscale("log")
    # At least this wide, so that a small spread does not look large and a tick is always in sight.
    ax.set_xlim(rows[low].min() / 1.6, rows[high].max() * 1.6)
    _plain_ticks(ax)
    ax.yaxis.set_major_formatter(PercentFormatter(1))


def _drawn(
    study: pd.DataFrame,
    rows: pd.DataFrame,
    title: str,
    columns: int,
    draw: Draw,
    keys: list[Artist],
    shapes: bool = False,
) -> Figure:
    """Draws the rows of a study side by side, with one legend."""
    if rows.empty:
        return style.message_figure(title, "No trained model is among the run records.")
    # Of the whole study, so that a model has the same tint and a setting the same shape in every plot.
    colour = style.colours(sorted(study["label"].unique()))
    shape = style.markers(study.sort_values(["cores", "executor_cores"])["setting"].unique().tolist())
    figure, axes = style.new_figure(1, columns, size=(style.WIDTH, 4.2), title=title)
    draw(axes[0], rows, colour, shape)
    if put_together(rows).any():
        keys = [*keys, style.PUT_TOGETHER]
    if not rows["oversubscribed"].any():
        keys = [key for key in keys if key is not _OVERSUBSCRIBED]
    handles = [Patch(color=colour[name], label=name) for name in sorted(rows["label"].unique())]
    if shapes:
        look = {"color": "#333333", "linestyle": ""}
        drawn = [name for name in shape if name in set(rows["setting"])]
        handles += [Line2D([], [], marker=shape[name], label=name, **look) for name in drawn]
        handles += [_HOLLOW] if rows["oversubscribed"].any() else []
    style.legend(figure, handles + keys)
    return figure


def _point(ax: Axes, x: float, y: float, row: pd.Series, colour: dict[str, str], shape: dict[str, str]) -> None:
    """Draws one model under one setting; an oversubscribed one is hollow, one put together has a star."""
    hue = colour[row["label"]]
    face = "none" if row["oversubscribed"] else hue
    edge = hue if row["oversubscribed"] else "white"
    marked = row["resumed_runs"] or row["restarted_runs"]
    look = {"markersize": 10 if marked else 8, "markeredgewidth": 1.2 if row["oversubscribed"] else 0.6}
    ax.plot(x, y, shape[row["setting"]], markerfacecolor=face, markeredgecolor=edge, **look)
    if marked:
        style.star(ax, x, y, edge)


def _grouped_bars(
    ax: Axes, rows: pd.DataFrame, heights: pd.Series, colour: dict[str, str], turned: int = 14, **look: Any
) -> np.ndarray:
    """Draws one bar per row, grouped by model, and turns the names of more than `turned`; returns their positions, (n,) float."""
    rows = rows.reset_index(drop=True)
    positions = np.arange(len(rows)) + 0.8 * rows["label"].ne(rows["label"].shift()).cumsum()
    bars = ax.bar(positions, heights, color=rows["label"].map(colour), width=0.85, edgecolor="white", **look)
    for bar, over in zip(bars, rows["oversubscribed"], strict=True):
        bar.set_hatch("////" if over else "")
    names = rows["setting"].str.removeprefix("exec_")
    ax.set_xticks(positions, names, rotation=90 if len(rows) > turned else 0)
    ax.tick_params(axis="x", labelsize=9 if len(rows) < 40 else 7, length=0)
    ax.grid(False, axis="x")
    return positions.to_numpy()


def _plain_ticks(ax: Axes, axis: str = "x") -> None:
    """Writes 2, 5, 10, 20 beside a log axis instead of powers, and 1, 10, 100 alone where it is so long that they would touch."""
    for one in {"x": [ax.xaxis], "y": [ax.yaxis], "both": [ax.xaxis, ax.yaxis]}[axis]:
        least, most = one.get_view_interval()
        one.set_major_locator(LogLocator(subs=(1,) if most > 1000 * least else (1, 2, 5), numticks=12))
        one.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        one.set_minor_formatter(NullFormatter())
