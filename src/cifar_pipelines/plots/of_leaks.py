"""The plot of the leak meter: how near test and validation images are to training images."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cifar_pipelines.plots import style

BINS = 50


def plot_nearest(nearest_images: pd.DataFrame, leaks: dict[str, Any]) -> Figure:
    """Draws how far images are from their nearest training image, and from the nearest one of another class.

    Args:
        nearest_images: What `find_nearest` returned.
        leaks: What `measure_leaks` made of it.

    Returns:
        The figure: a panel per split, with the threshold of near twins.
    """
    splits = leaks["splits"]
    title = f"How near are training images? Features: {leaks['extractor']}"
    figure, axes = style.new_figure(1, len(splits), (6.5 * len(splits), 4), title)
    for ax, (split, found) in zip(axes[0], splits.items(), strict=True):
        rows = nearest_images[nearest_images["split"] == split]
        bins = np.linspace(0, max(rows["other_class"].max(), rows["distance"].max()) * 1.02, BINS)
        for column, colour, label in (
            ("distance", style.PALETTE[0], "nearest training image"),
            ("other_class", style.PALETTE[1], "nearest one of another class"),
        ):
            ax.hist(rows[column], bins, color=colour, alpha=0.6, label=label)
        ax.axvline(
            found["threshold"],
            color=style.GREY,
            linestyle="--",
            label=f"near twins: {found['twins']:,} of {found['images']:,}",
        )
        style.label_axes(ax, f"{split} images", "distance of features of length one", "images")
        ax.legend(fontsize=8, frameon=False)
    return figure
