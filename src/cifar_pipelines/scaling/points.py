"""From rows of a summary to fitted models of scaling."""

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from cifar_pipelines.records.summary import MODEL, put_together, trained
from cifar_pipelines.scaling.fit import Point, ScalingFit
from cifar_pipelines.scaling.models import fit_scaling

# Times of the same work but for the number of images. The fingerprint differs between those, so it is not in it.
SAME_WORK = ["source", "seed", "test_size", "host_cores", "cluster", *MODEL, "params_digest"]


def scaling_fits(summary: pd.DataFrame, rows: pd.DataFrame) -> Iterator[tuple[str, list[ScalingFit]]]:
    """Fits the models of scaling to every model of a section.

    Args:
        summary: All rows of the summary; other numbers of images of the same work are taken from it.
        rows: The rows of one section.

    Yields:
        The label of a model, and its fits.
    """
    for label, group in trained(rows).groupby("label"):
        newest = group.sort_values("latest").iloc[-1]
        same = summary[(summary[SAME_WORK] == newest[SAME_WORK]).all(axis=1)]
        # The same data may have been made twice, with different fingerprints: the newest counts.
        same = same.sort_values("latest").drop_duplicates(["setting", "train_size"], keep="last")
        parts = put_together(same)
        # A cluster of several hosts has more cores than the driver's host.
        host_cores = int(newest["host_cores"]) if newest["cluster"] == "embedded" else None
        fits = fit_scaling(points_of(same[~parts]), host_cores, int(newest["train_size"]))
        if parts.any():
            names = ", ".join(sorted(set(same.loc[parts, "setting"])))
            resumed = f"{names}: the time is put together from parts, because a training was resumed or restarted"
            fits = [replace(fit, left_out=(*fit.left_out, resumed)) for fit in fits]
        yield label, fits


def points_of(rows: pd.DataFrame) -> list[Point]:
    """The measured points of summary rows, smallest first."""
    ordered = rows.sort_values(["train_size", "cores", "executor_cores"])
    return [
        Point(int(row.cores), int(row.train_size), float(row.time_s), int(row.timings), row.setting, row.content)
        for row in ordered.itertuples()
    ]
