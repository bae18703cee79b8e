"""How good a classifier is, from its predictions table alone."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from cifar_pipelines.common.words import some
from cifar_pipelines.judging.outcomes import pack_outcomes
from cifar_pipelines.judging.predictions import check_predictions
from cifar_pipelines.judging.statistics import expected_calibration_error, wilson_interval

MOST_CONFUSIONS = 5


class Confusion(NamedTuple):
    """A class that was taken for another one.

    Attributes:
        true: The true class.
        predicted: The class that it was taken for.
        times: How often.
        share: That of all that are of the true class.
    """

    true: str
    predicted: str
    times: int
    share: float


def evaluate(predictions: pd.DataFrame, class_names: Sequence[str], confidence: float = 0.95) -> dict:
    """Judges one predictions table.

    Interval and calibration error are those of `wilson_interval` and `expected_calibration_error`.
    Averages run over all named classes; a class that is never predicted has precision 0.

    Args:
        predictions: Columns `image_id` str, `label` int, `prediction` int and `probability`, a list or
            array of n_classes floats; n rows.
        class_names: The n_classes names, in the order of the labels.
        confidence: Confidence level of the interval, between 0 and 1.

    Returns:
        A dict that JSON can hold: `n`, `accuracy` (value, low, high, confidence, method), precision,
        recall and F1 as `*_macro` and `*_weighted`, `log_loss` (nats), `calibration_error` (from 0 to 1),
        `roc_auc_ovr_macro` (None, with the key `roc_auc_reason`, when the labels do not allow it),
        `per_class` (one dict per class), `confusion_matrix` (counts, rows are the truth) and `outcomes`
        (which images are right; see `pack_outcomes`).

    Raises:
        UserError: The table breaks a rule of `check_predictions`, or `confidence` is out of range.
    """
    from sklearn.metrics import log_loss

    checked = check_predictions(predictions, class_names)
    truth, probability = checked.label, checked.probability
    classes = np.arange(len(class_names))
    result = score_labels(checked.image_id, truth, checked.prediction, checked.confidence, class_names, confidence)
    result["log_loss"] = float(log_loss(truth, probability, labels=classes))
    areas = [_one_vs_rest_area(truth == k, probability[:, k]) for k in classes]
    absent = [str(name) for name, k in zip(class_names, classes, strict=True) if not (truth == k).any()]
    # The macro average of one-vs-rest areas is the plain mean, so it exists when every class has one.
    result["roc_auc_ovr_macro"] = None if None in areas else float(np.mean(areas))
    if absent:
        result["roc_auc_reason"] = (
            f"Nothing that is judged is of {some(absent, 5, 'class', 'classes')}: the area under the ROC curve of an absent class is not defined."
        )
    for row, area in zip(result["per_class"], areas, strict=True):
        row["roc_auc"] = area
    return result


def score_labels(
    image_id: Sequence[str],
    truth: np.ndarray,
    predicted: np.ndarray,
    sure: np.ndarray,
    class_names: Sequence[str],
    confidence: float = 0.95,
) -> dict:
    """Judges what the predicted classes alone allow to judge.

    Args:
        image_id: (n,) unique ids.
        truth: (n,) int, the true classes.
        predicted: (n,) int, the predicted ones.
        sure: (n,) float, the probability of the predicted class.
        class_names: The classes, by label.
        confidence: Confidence level of the interval.

    Returns:
        What `evaluate` returns, without `log_loss` and areas under ROC curves.
    """
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    right, classes = predicted == truth, np.arange(len(class_names))
    low, high = wilson_interval(int(right.sum()), len(truth), confidence)
    value = int(right.sum()) / len(truth)
    accuracy = {"value": value, "low": low, "high": high, "confidence": confidence, "method": "Wilson"}
    result = {"n": len(truth), "accuracy": accuracy}
    for average in ("macro", "weighted"):
        scores = precision_recall_fscore_support(truth, predicted, labels=classes, average=average, zero_division=0)
        for name, score in zip(("precision", "recall", "f1"), scores, strict=False):
            result[f"{name}_{average}"] = float(score)
    result["calibration_error"] = expected_calibration_error(sure, right)
    result["per_class"] = _per_class(truth, predicted, class_names)
    result["confusion_matrix"] = confusion_matrix(truth, predicted, labels=classes).tolist()
    result["outcomes"] = pack_outcomes(image_id, right)
    return result


def confusions(
    confusion_matrix: Sequence[Sequence[int]], class_names: Sequence[str], most: int = MOST_CONFUSIONS
) -> list[Confusion]:
    """Names the classes that were most often taken for another one, the commonest first; those as common by their names.

    Args:
        confusion_matrix: (n_classes, n_classes) counts, rows are the truth.
        class_names: The n_classes names, in the order of the labels.
        most: Largest number of confusions.
    """
    counts = np.asarray(confusion_matrix, dtype=np.int64)
    of_class, names = counts.sum(axis=1), [str(name) for name in class_names]
    found = [
        Confusion(names[i], names[j], int(counts[i, j]), float(counts[i, j] / of_class[i]))
        for i, j in np.argwhere(counts)
        if i != j
    ]
    return sorted(found, key=lambda one: (-one.times, one.true, one.predicted))[:most]


def _per_class(truth: np.ndarray, predicted: np.ndarray, class_names: Sequence[str]) -> list[dict]:
    """The scores of each class."""
    from sklearn.metrics import precision_recall_fscore_support

    each = precision_recall_fscore_support(
        truth, predicted, labels=np.arange(len(class_names)), average=None, zero_division=0
    )
    return [
        {
            "class_name": str(name),
            "precision": float(precision),
            "recall": float(recall),
            "f1": float(f1),
            "support": int(support),
        }
        for name, precision, recall, f1, support in zip(class_names, *each, strict=True)
    ]


def _one_vs_rest_area(positive: np.ndarray, score: np.ndarray) -> float | None:
    """Returns the area under one ROC curve, or None when only one of the two groups is there."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(positive, score)) if 0 < positive.sum() < len(positive) else None
