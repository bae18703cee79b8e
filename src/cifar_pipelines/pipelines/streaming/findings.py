"""What the blocks of a stream say of a learner: how well it did while it learned, drift, and what it forgot."""

from collections.abc import Iterable, Sequence
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
        rows: One row per block, in the order of the stream, the last one perhaps without images: `first`, `images`, `label`, `epoch` and `prediction` (lists of
            ints; a block of an older commit has no epochs), `holdout_confusion` (a list of counts, or None) and the scores.
        expected: What is looked for.

    Returns:
        What JSON can hold: `images`; `prequential`, scores of all images before they were learned; `drift_alarms`, numbers of images,
        or None; where it is known when the drift came, or that there is none, with `drift_at`, `drift_delay` and `false_alarms`, see `DriftReport`; `forgetting`, as `forgetting` gives it, with `accuracies` and `phase_classes`, or None, and then why as `forgetting_reason`.
    """
    label, epoch = _joined(rows["label"]), _epochs(rows)
    found: dict[str, Any] = {
        "images": len(label),
        "prequential": {name: float(rows[name].iloc[-1]) for name in ("n", *SCORES)},
        "drift_alarms": None,
        "forgetting": None,
    }
    if expected.drift_delta is not None:
        wrong = _joined(rows["prediction"]) != label
        found |= _drift(wrong, np.flatnonzero((label >= 0) & (epoch == 0)), expected)
    if expected.classes_per_phase is not None:
        first_epoch = label[: np.argmax(epoch > 0)] if epoch.any() else label
        found |= _forgotten(rows, first_epoch, expected.classes_per_phase)
    return found


def _epochs(rows: pd.DataFrame) -> np.ndarray:
    """The epoch of every image; 0 where an older commit does not say."""
    said = rows["epoch"] if "epoch" in rows else [None] * len(rows)
    return _joined([one if np.ndim(one) else [0] * images for one, images in zip(said, rows["images"], strict=True)])


def _joined(lists: Iterable[Sequence[int]]) -> np.ndarray:
    """All numbers of lists, of which some may be empty."""
    return np.concatenate([np.asarray(one, np.int64) for one in lists])


def _drift(wrong: np.ndarray, judged: np.ndarray, expected: Expected) -> dict[str, Any]:
    """The alarms of the detector, which sees the images that are judged, as numbers of images of the stream."""
    drift_at = expected.drift_at
    at = None if drift_at is None else int(np.searchsorted(judged, drift_at))
    report = detect_drift(wrong[judged], at, expected.drift_delta)
    found: dict[str, Any] = {"drift_alarms": [int(judged[alarm]) for alarm in report.alarms]}
    if drift_at is not None or expected.steady:
        delay = None if report.delay is None else int(judged[at + report.delay]) - drift_at
        found |= {"drift_at": drift_at, "drift_delay": delay, "false_alarms": report.false_alarms}
    return found


def _forgotten(rows: pd.DataFrame, label: np.ndarray, classes_per_phase: int) -> dict[str, Any]:
    """The accuracies on all phases by the last test on held-out images of each, and their sums.

    Later epochs have no phases: all classes have come before, and come in another order.
    """
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
