"""How the variants of a network predict, against the network as it was trained."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cifar_pipelines.judging import statistics
from cifar_pipelines.judging.predictions import CheckedPredictions, check_predictions
from cifar_pipelines.records.deployment_record import ORIGINAL, Quality


def judge(predictions: pd.DataFrame, class_names: Sequence[str]) -> dict[str, Quality]:
    """Judges every variant on the same images.

    Args:
        predictions: Columns `variant`, and those of a predictions table; every variant has the same images.
        class_names: Names of the classes, by label.

    Returns:
        What is known of each, by name, the original first.

    Raises:
        UserError: If a variant's rows break a rule of a predictions table.
    """
    checked = {
        str(name): check_predictions(rows.sort_values("image_id"), class_names)
        for name, rows in predictions.groupby("variant", sort=False)
    }
    original = checked.pop(ORIGINAL)
    counts = {name: statistics.count_pairs(original.correct, one.correct) for name, one in checked.items()}
    p = {name: statistics.mcnemar_p(pairs) for name, pairs in counts.items()}
    adjusted = dict(zip(p, map(float, statistics.holm(list(p.values()))), strict=True))
    nothing = statistics.count_pairs(original.correct, original.correct)
    own = _quality(original, original, nothing, 1.0, 1.0)
    others = {name: _quality(one, original, counts[name], p[name], adjusted[name]) for name, one in checked.items()}
    return {ORIGINAL: own} | others


def _quality(
    one: CheckedPredictions, original: CheckedPredictions, counts: statistics.PairedCounts, p: float, p_holm: float
) -> Quality:
    right, n = int(one.correct.sum()), len(one.label)
    loss_low, loss_high = statistics.paired_bootstrap(counts)
    return Quality(
        right / n,
        *statistics.wilson_interval(right, n),
        agreement=float(np.mean(one.prediction == original.prediction)),
        largest_shift=float(np.abs(one.probability - original.probability).max()),
        only_original=counts.only_first,
        only_variant=counts.only_second,
        p=p,
        p_holm=p_holm,
        loss_low=loss_low,
        loss_high=loss_high,
    )
