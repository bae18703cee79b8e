"""Predictions that were written before the truth was known, judged by it afterwards."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cifar_pipelines.common import whole_files
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.paths import local_path
from cifar_pipelines.common.words import some
from cifar_pipelines.judging import statistics
from cifar_pipelines.judging.metrics import Confusion, confusions, score_labels
from cifar_pipelines.judging.predictions import UNLABELLED_COLUMNS
from cifar_pipelines.prediction.request import description_of

TRUTH = ("image", "label")
NAMED = 3


@dataclass(frozen=True)
class Scored:
    """A CSV of predictions, judged by the truth.

    Attributes:
        images: (n,) str, in the order of the CSV.
        right: (n,) bool.
        metrics: What `judging.metrics.score_labels` returns.
        class_names: The classes.
        without_prediction: Images that have a truth and no prediction.
    """

    images: np.ndarray
    right: np.ndarray
    metrics: dict[str, Any]
    class_names: tuple[str, ...]
    without_prediction: tuple[str, ...]

    @property
    def confusions(self) -> list[Confusion]:
        """The classes that were most often taken for another one; see `judging.metrics.confusions`."""
        return confusions(self.metrics["confusion_matrix"], self.class_names)


def score(predictions: Path, truth: Path) -> Scored:
    """Judges a CSV of predictions by a CSV of true classes, joined by image.

    Args:
        predictions: With the columns `image`, `label` and `probability`; a description beside it names the classes.
        truth: With the columns `image` and `label`.

    Raises:
        UserError: If a file is missing or no such table, an image is there twice or has no truth, or a class is unknown.
    """
    said, known = _read(predictions, UNLABELLED_COLUMNS), _read(truth, TRUTH)
    missing = said["image"][~said["image"].isin(known["image"])].tolist()
    if missing:
        raise UserError(
            f"{len(missing)} of {len(said)} images of {predictions} have no truth in {truth}: "
            f"{some(missing, NAMED, 'image', 'images')}. Both have to name images alike."
        )
    names = _class_names(predictions, said, known)
    label_of = {name: number for number, name in enumerate(names)}
    if unknown := sorted({*said["label"], *known["label"]} - label_of.keys()):
        raise UserError(
            f"The label {unknown[0]!r} is no class of the model, which knows {some(names, 8, 'class', 'classes')}. Write "
            "classes by their names."
        )
    true = known.set_index("image")["label"].loc[said["image"]].map(label_of).to_numpy()
    predicted = said["label"].map(label_of).to_numpy()
    sure = pd.to_numeric(said["probability"], errors="coerce").to_numpy()
    metrics = score_labels(said["image"], true, predicted, sure, names)
    surplus = tuple(known["image"][~known["image"].isin(said["image"])])
    return Scored(said["image"].to_numpy(), predicted == true, metrics, names, surplus)


def compare(first: Scored, second: Scored) -> tuple[statistics.PairedCounts, float]:
    """Tests two CSVs of predictions of the same images: counts, and p of McNemar's test.

    Raises:
        UserError: If they are of other images.
    """
    place = {image: row for row, image in enumerate(second.images)}
    if place.keys() != set(first.images):
        raise UserError(
            "The two CSVs hold predictions of other images, so that they cannot be compared image by image."
        )
    counts = statistics.count_pairs(first.right, second.right[[place[image] for image in first.images]])
    return counts, statistics.mcnemar_p(counts)


def write_scores(scored: Scored, predictions: Path) -> Path:
    """Writes the scores beside the predictions, whole or not at all; returns the file."""
    file = predictions.with_suffix(".scores.json")
    content = scored.metrics | {"classes": scored.class_names, "without_prediction": scored.without_prediction}
    whole_files.write_json(file, content, indent=2)
    return file


def checked_file(text: str, what: str) -> Path:
    """The file that an argument names.

    Raises:
        UserError: If there is none.
    """
    path = local_path(text, what)
    if not path.is_file():
        raise UserError(f"{what} is {path}, but there is no such file. Give a CSV.")
    return path


def _read(file: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
    except (ValueError, UnicodeDecodeError) as error:  # pandas' errors of parsing are ValueErrors
        raise UserError(
            f"{file} cannot be read as a CSV ({error}). It needs the columns {', '.join(columns)}."
        ) from error
    if missing := [name for name in columns if name not in table]:
        raise UserError(
            f"{file} has no column {', '.join(map(repr, missing))}; it has {', '.join(map(repr, table.columns))}. It needs "
            f"{', '.join(columns)}."
        )
    if table.empty:
        raise UserError(f"{file} has no rows. It needs one per image.")
    twice = table["image"][table["image"].duplicated()]
    if not twice.empty:
        raise UserError(f"{file} holds the image {twice.iloc[0]!r} more than once. Name every image once.")
    return table


def _class_names(predictions: Path, said: pd.DataFrame, known: pd.DataFrame) -> tuple[str, ...]:
    """The classes of the model, from the description beside its predictions, or all that are named anywhere."""
    description = description_of(predictions)
    if description.is_file():
        try:
            return tuple(json.loads(description.read_text(encoding="utf-8"))["classes"])
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{description} does not name the classes. Remove it, or put that of the predictions back."
            ) from error
    return tuple(sorted({*said["label"], *known["label"]}))
