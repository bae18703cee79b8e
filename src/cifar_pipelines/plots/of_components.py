"""Plots of where the time went."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from cifar_pipelines.event_log.component_names import COMPONENTS
from cifar_pipelines.plots.registry import comparison_plot
from cifar_pipelines.plots.style import (
    GREY,
    WIDTH,
    colours_in_order,
    label_axes,
    legend,
    message_figure,
    new_figure,
    shortened,
)
from cifar_pipelines.records.job_groups import named_together

COLUMNS = 3  # panels side by side
LONGEST_TITLE = 28  # letters over a panel
SMALLEST_SHARE = 0.002  # a component below this share in every bar is not named in the legend
MOST_LABELS = 10
_NOTHING = (
    "No application is there yet. Every run with Spark leaves one in data/08_reporting/applications/ when it has ended."
)


@comparison_plot("components", "Where the time went", section="components", inputs=["study_components"])
def plot_components(components: pd.DataFrame) -> Figure:
    """Draws what the core-seconds of every model were spent on: a panel per model, a bar per setting.

    Args:
        components: What `join_applications` returned of a study.
    """
    title = "Where the time went: core-seconds of a fit or an extraction"
    if components.empty:
        return message_figure(title, _NOTHING, size=(9, 2.5))
    panels = list(named_together(components).groupby("label"))
    columns = min(COLUMNS, len(panels))
    lines = math.ceil(len(panels) / columns)
    figure, axes = new_figure(lines, columns, size=(WIDTH, 2.4 * lines + 0.5), title=title)
    for ax, (label, rows) in zip(axes.flat, panels, strict=False):
        _stack(ax, rows)
        label_axes(ax, shortened(label, LONGEST_TITLE), "", "core-seconds")
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    shares = components[list(COMPONENTS)].div(components["core_s"], axis=0).abs().max()
    named = [name for name in reversed(COMPONENTS) if shares[name] >= SMALLEST_SHARE]
    handles = [Patch(label=COMPONENTS[name].name, **_look(name)) for name in named]
    legend(figure, handles)
    return figure


@comparison_plot(
    "timeline", "Cores over time, in the latest application", section="components", inputs=["comparison_timeline"]
)
def plot_timeline(timeline: Mapping[str, Any]) -> Figure:
    """Draws which core ran what, and when: one line per executor core, one colour per job group.

    Args:
        timeline: The timeline of an application, with `run_id`, `setting` and `application_id`; empty for none.
    """
    if not timeline or not timeline["spans"]:
        return message_figure("Cores over time", _NOTHING, size=(9, 2.5))
    lanes, spans = timeline["lanes"], timeline["spans"]
    title = f"Cores over time:  {timeline['application_id']}, {timeline['setting']}"
    shown = _longest(timeline)
    figure, axes = new_figure(size=(WIDTH, max(2.8, 0.45 * len(lanes) + 1.8)), title=title)
    ax = axes[0, 0]
    colour = colours_in_order(shown)
    for place, label in enumerate(timeline["labels"]):
        for lane in range(len(lanes)):
            bars = [(start, end - start) for at, start, end, of in spans if (at, of) == (lane, place)]
            ax.broken_barh(bars, (lane - 0.4, 0.8), color=colour.get(label, GREY), linewidth=0)
    ax.set_yticks(range(len(lanes)), [f"executor {executor}, core {core}" for executor, core in lanes])
    ax.set_ylim(len(lanes) - 0.4, -0.6)
    ax.set_xlim(0, timeline["wall_s"])
    ax.grid(False, axis="y")
    label_axes(ax, x="seconds since the application started; white: no task ran")
    handles = [Patch(color=colour[label], label=label) for label in shown]
    if len(shown) < len(timeline["labels"]):
        handles.append(Patch(color=GREY, label="all else"))
    legend(figure, handles)
    return figure


def _stack(ax: Axes, rows: pd.DataFrame) -> None:
    """Draws one stacked bar per setting, in the order of cores."""
    rows = rows.sort_values(["cores", "setting"])
    at, bottom = np.arange(len(rows)), np.zeros(len(rows))
    for name in COMPONENTS:
        # Overlapping tasks make the remainder negative; it is drawn as nothing, and the table shows it.
        heights = rows[name].clip(lower=0).to_numpy()
        ax.bar(at, heights, 0.7, bottom, label=name, **_look(name))
        bottom += heights
    ax.set_xticks(at, rows["setting"].str.removeprefix("exec_"))
    ax.tick_params(axis="x", length=0)
    ax.set_xlim(-0.7, len(rows) - 0.3)
    ax.grid(False, axis="x")


def _look(name: str) -> dict[str, Any]:
    if name == "remainder":
        return {"facecolor": "white", "edgecolor": GREY, "hatch": "////", "linewidth": 0.5}
    return {"facecolor": COMPONENTS[name].colour, "edgecolor": "white", "linewidth": 0.3}


def _longest(timeline: Mapping[str, Any]) -> list[str]:
    """The labels that took most core time, in the order of their first task."""
    seconds = dict.fromkeys(range(len(timeline["labels"])), 0.0)
    for _, start, end, label in timeline["spans"]:
        seconds[label] += end - start
    kept = sorted(seconds, key=lambda label: -seconds[label])[:MOST_LABELS]
    return [timeline["labels"][label] for label in sorted(kept)]
