"""The predictions table: its rules, and the files that a reader of predictions gets."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.tables import PREDICTIONS

UNLABELLED_COLUMNS = ("image", "label", "probability")
ROW_SUM_TOLERANCE = 1e-3  # float32 probabilities of 131 classes still sum to one within this


@dataclass(frozen=True)
class CheckedPredictions:
    """A predictions table that keeps its rules, as arrays.

    Attributes:
        image_id: (n,) object, unique strings.
        label: (n,) int64, the true class.
        prediction: (n,) int64, the predicted class.
        probability: (n, n_classes) float64, rows sum to one exactly as far as float64 goes.
    """

    image_id: np.ndarray
    label: np.ndarray
    prediction: np.ndarray
    probability: np.ndarray

    @property
    def confidence(self) -> np.ndarray:
        """(n,) float64: the probability of the predicted class."""
        return self.probability[np.arange(len(self.prediction)), self.prediction]

    @property
    def correct(self) -> np.ndarray:
        """(n,) bool: whether the prediction is the label."""
        return self.prediction == self.label


def check_predictions(predictions: pd.DataFrame, class_names: Sequence[str]) -> CheckedPredictions:
    """Checks a predictions table against its rules.

    Args:
        predictions: Columns `image_id` str, `label` int, `prediction` int and `probability`, a list or
            array of n_classes floats.
        class_names: The n_classes names, in the order of the labels.

    Returns:
        The table as arrays.

    Raises:
        UserError: A column is missing, the table is empty, a label is missing, or a row breaks a rule.
    """
    missing = [name for name in PREDICTIONS.names if name not in predictions.columns]
    if missing:
        raise UserError(
            f"The predictions table has no column {', '.join(map(repr, missing))}; it has "
            f"{', '.join(map(repr, predictions.columns)) or 'none'}. It needs {', '.join(PREDICTIONS.names)}."
        )
    n_classes = len(class_names)
    if n_classes < 2:
        raise UserError(f"A classification needs at least 2 class names, not {n_classes}. Name every class.")
    if predictions.empty:
        raise UserError("The predictions table has no rows. Predict at least one test image.")
    image_id = predictions["image_id"].to_numpy(dtype=object)
    if predictions["image_id"].isna().any():
        raise UserError("The predictions table has a row without image_id. Give every image its id.")
    repeated = predictions["image_id"][predictions["image_id"].duplicated()]
    if not repeated.empty:
        raise UserError(
            f"image_id {repeated.iloc[0]!r} occurs more than once in the predictions table "
            f"({len(repeated)} surplus rows). Predict every test image exactly once."
        )
    if (unknown := predictions["label"].isna()).any():
        raise UserError(
            f"{int(unknown.sum()):,} of {len(predictions):,} predictions have no label, such as that of {image_id[unknown.argmax()]!r}, "
            "and nothing can be judged without. Judge test or validation images."
        )
    label = _class_column(predictions, "label", n_classes)
    prediction = _class_column(predictions, "prediction", n_classes)
    return CheckedPredictions(image_id, label, prediction, _probability_matrix(predictions, n_classes))


def predictions_csv(predictions: pd.DataFrame, class_names: Sequence[str]) -> pd.DataFrame:
    """Turns a predictions table into one that people read.

    Returns:
        One row per image, in the given order: `image_name` str, `label` str (the predicted class),
        `probability` float64 of the predicted class, `truth` str (the true class).

    Raises:
        UserError: The table breaks a rule of `check_predictions`.
    """
    checked = check_predictions(predictions, class_names)
    names = np.asarray(class_names, dtype=object)
    label, truth = names[checked.prediction], names[checked.label]
    columns = {"image_name": checked.image_id, "label": label, "probability": checked.confidence, "truth": truth}
    return pd.DataFrame(columns)


def unlabelled_csv(predictions: pd.DataFrame, class_names: Sequence[str], image_ids: Sequence[str]) -> pd.DataFrame:
    """Turns the predictions of images without labels into the table that a contest wants.

    Args:
        predictions: As for `check_predictions`, but for the labels, which are not looked at; rows in any order.
        class_names: The n_classes names, in the order of the labels.
        image_ids: The images in the order wanted, each once.

    Returns:
        One row per image: `image` str (the name of the file), `label` str (the predicted class), `probability` float64 of it.

    Raises:
        UserError: The table breaks another rule of `check_predictions`, or an image has no prediction.
    """
    checked = check_predictions(predictions.assign(label=predictions["prediction"]), class_names)
    place = {image_id: row for row, image_id in enumerate(checked.image_id)}
    if missing := [image_id for image_id in image_ids if image_id not in place]:
        raise UserError(
            f"{len(missing):,} of {len(image_ids):,} images without a label have no prediction, such as {missing[0]!r}. Predict every "
            "one of them once."
        )
    rows = [place[image_id] for image_id in image_ids]
    label = np.asarray(class_names, dtype=object)[checked.prediction[rows]]
    names = [PurePosixPath(image_id).name for image_id in image_ids]
    return pd.DataFrame(dict(zip(UNLABELLED_COLUMNS, (names, label, checked.confidence[rows]), strict=True)))


def _class_column(predictions: pd.DataFrame, column: str, n_classes: int) -> np.ndarray:
    """Returns a column of class numbers as (n,) int64, or raises a UserError."""
    values = pd.to_numeric(predictions[column], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = ~((values >= 0) & (values < n_classes) & (values == np.floor(values)))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise UserError(
            f"{column} {predictions[column].iloc[row]!r} of image {predictions['image_id'].iloc[row]!r} "
            f"is not a class: with {n_classes} class names it must be a whole number from 0 to {n_classes - 1}. "
            "Check that the model and the class names come from the same data."
        )
    return values.astype(np.int64)


def _probability_matrix(predictions: pd.DataFrame, n_classes: int) -> np.ndarray:
    """Returns the probabilities as (n, n_classes) float64, rows sum to one, or raises a UserError."""
    rows = []
    for image_id, value in zip(predictions["image_id"], predictions["probability"], strict=True):
        try:
            row = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError):
            row = np.empty(0)
        if row.shape != (n_classes,):
            raise UserError(
                f"probability of image {image_id!r} is not a list of {n_classes} numbers, one per class. "
                "Every prediction needs the probability of every class."
            )
        rows.append(row)
    matrix = np.stack(rows)
    sums = matrix.sum(axis=1)
    for wrong, rule in (
        (~np.isfinite(matrix).all(axis=1), "holds NaN or infinity"),
        (((matrix < 0) | (matrix > 1 + ROW_SUM_TOLERANCE)).any(axis=1), "leaves the range from 0 to 1"),
        (np.abs(sums - 1) > ROW_SUM_TOLERANCE, "does not sum to 1"),
    ):
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise UserError(
                f"probability of image {predictions['image_id'].iloc[row]!r} {rule} "
                f"(its sum is {sums[row]:.6g}; {int(wrong.sum())} such rows). Turn scores into probabilities, for example with a softmax."
            )
    return matrix / sums[:, np.newaxis]
