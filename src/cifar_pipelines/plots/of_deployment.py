"""The plot of the variants of one network: what accuracy, time and bytes each has."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from cifar_pipelines.plots import style
from cifar_pipelines.records.deployment_record import DeploymentRecord

_HOLLOW = Patch(facecolor="white", edgecolor=style.GREY, hatch="////", label="hollow")


def plot_deployment(record: DeploymentRecord) -> Figure:
    """Draws accuracy with its interval against the time of one image, files, and images per second, of every variant.

    Whiskers of a time end at its 95th percentile; the dashed line is the least accuracy that the limits allow; hollow
    variants are hatched.
    """
    names = [variant.name for variant in record.variants]
    colour = style.colours_in_order(names)
    figure, axes = style.new_figure(1, 3, size=(15, 4.6), title=f"{record.model}: variants for deployment")
    accuracy, size, speed = axes[0]
    for variant in record.variants:
        at, quality = variant.at(1), variant.quality
        look = {"color": colour[variant.name], "elinewidth": 0.9, "markeredgecolor": "white", "capsize": 2}
        spread = [[0], [at.p95_ms - at.p50_ms]]
        interval = [[quality.accuracy - quality.low], [quality.high - quality.accuracy]]
        accuracy.errorbar(at.p50_ms, quality.accuracy, xerr=spread, yerr=interval, fmt="o", **look)
    least = record.original.quality.accuracy - record.limits.accuracy_loss / 100
    accuracy.axhline(least, linestyle="--", color=style.GREY, linewidth=1)
    accuracy.set_xlim(left=0)
    accuracy.yaxis.set_major_formatter(PercentFormatter(1))
    style.label_axes(accuracy, x="time of one image [ms], median to 95th percentile", y="accuracy, with its interval")
    places = np.arange(len(names))
    hatches = ["////" if variant.hollow else "" for variant in record.variants]
    look = {"color": [colour[name] for name in names], "edgecolor": "white", "hatch": hatches}
    size.bar(places, [variant.file_bytes / 1e6 for variant in record.variants], **look)
    style.label_axes(size, y="file [MB]")
    for shift, batch, alpha in ((-0.2, 1, 0.55), (0.2, 32, 1.0)):
        heights = [variant.at(batch).images_per_s for variant in record.variants]
        speed.bar(places + shift, heights, width=0.38, alpha=alpha, **look)
    style.label_axes(speed, y=f"images/s with {record.threads} thread(s); paler: one by one")
    for ax in (size, speed):
        ax.set_xticks(places, names, rotation=40, ha="right", fontsize=8)
        ax.grid(False, axis="x")
    keys = [Patch(color=colour[name], label=name) for name in names]
    style.legend(figure, [*keys, *([_HOLLOW] if any(hatches) else [])])
    return figure
