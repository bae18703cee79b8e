"""What the blocks of a stream say of a learner: how well it did while it learned, drift, and what it forgot."""

from typing import Any

import numpy as np
import pandas as pd

from cifar_pipelines.judging.drift import detect_drift
from cifar_pipelines.judging.forgetting import forgetting, phase_accuracies, phases_of
from cifar_pipelines.judging.prequential import SCORES
from cifar_pipelines.pipelines.streaming.specification import Expected


def findings(rows: pd.DataFrame, expected: Expected) -> dict[str, Any]:
    """Sums up the blocks of one model.

    Args:
        rows: One row per block, in the order of the stream: `first`, `images`, `label` and `prediction` (lists of ints),
            `holdout_confusion` (a list of counts, or None) and the scores.
        expected: What is looked for.

    Returns:
        What JSON can hold: `images`; `prequential`, scores of all images before they were learned; `drift_alarms`, numbers of images,
        or None, where it is known when the drift came with `drift_delay` and `false_alarms`, see `DriftReport`; `forgetting`, as `forgetting` gives it, with `accuracies` and `phase_classes`, or None, and then why as `forgetting_reason`.
    """
    label = np.concatenate(rows["label"].to_list())
    found: dict[str, Any] = {
        "images": len(label),
        "prequential": {name: float(rows[name].iloc[-1]) for name in ("n", *SCORES)},
        "drift_alarms": None,
        "forgetting": None,
    }
    if expected.drift_delta is not None:
        wrong = np.concatenate(rows["prediction"].to_list()) != label
        report = detect_drift(wrong[label >= 0], expected.drift_at, expected.drift_delta)
        found["drift_alarms"] = list(report.alarms)
        if expected.drift_at is not None:
            found |= {"drift_at": expected.drift_at, "drift_delay": report.delay, "false_alarms": report.false_alarms}
    if expected.classes_per_phase is not None:
        found |= _forgotten(rows, label, expected.classes_per_phase)
    return found


def _forgotten(rows: pd.DataFrame, label: np.ndarray, classes_per_phase: int) -> dict[str, Any]:
    """The accuracies on all phases by the last test on held-out images of each, and their sums."""
    starts, classes = phases_of(label, classes_per_phase)
    tested = rows[rows["holdout_confusion"].notna()]
    ends = tested["first"] + tested["images"]
    accuracies = []
    for start, end in zip(starts, [*starts[1:], len(label)], strict=True):
        within = tested[(ends > start) & (ends <= end)]
        if within.empty or len(starts) < 2:
            reason = (
                "there is one phase"
                if len(starts) < 2
                else f"no test on held-out images fell into images {start} to {end - 1}"
            )
            return {
                "forgetting_reason": f"{reason}; set streaming.law.holdout_every or streaming.classes_per_phase lower".capitalize()
            }
        counts = np.array(within["holdout_confusion"].iloc[-1])
        side = int(np.sqrt(len(counts)))
        accuracies.append(phase_accuracies(counts.reshape(side, side), classes))
    matrix = np.array(accuracies)
    if np.isnan(matrix).any():
        return {"forgetting_reason": "A phase has no held-out image; set streaming.holdout_images higher"}
    return {"forgetting": forgetting(matrix) | {"accuracies": matrix.tolist(), "phase_classes": classes}}
