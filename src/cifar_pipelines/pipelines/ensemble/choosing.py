"""What weights are chosen by: validation images, out-of-fold predictions of the training images, or other folds of those that models are judged on."""

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.tables import judged_split
from cifar_pipelines.pipelines.ensemble.members import Joined, join
from cifar_pipelines.pipelines.ensemble.out_of_fold import Penalty, out_of_fold
from cifar_pipelines.pipelines.ensemble.specification import CROSS_FIT, VALIDATION, EnsembleSpec
from cifar_pipelines.pipelines.ensemble.votes import Choosing, Vote
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.saved_models import MODEL
from cifar_pipelines.records.saved_predictions import read_predictions, validation_rows

if TYPE_CHECKING:
    import pyarrow as pa
    from scipy.sparse import csr_matrix

logger = logging.getLogger(__name__)

# Of a probe whose member is no logistic regression.
PENALTY, PENALTY_OF_SPARSE = Penalty(0.01), Penalty(1e-5, standardised=False)


def make_choosing(
    members: dict[str, RunRecord],
    judged: Joined,
    spec: EnsembleSpec,
    images_info: dict[str, Any],
    outputs: Path,
    features: Path,
    seed: int,
) -> Joined | None:
    """Joins what the members say of the images by which weights are chosen; None where no vote chooses.

    Args:
        members: The run records of the members, by name.
        judged: What they say of the images that models are judged on.
        spec: The ensemble.
        images_info: The description of the image table.
        outputs: The folder of all outputs of models.
        features: The folder of all feature tables.
        seed: Decides the folds.

    Raises:
        UserError: If there are no such images or predictions of them.
    """
    if not spec.chooses:
        return None
    if spec.choose_on == CROSS_FIT:
        return judged
    names = images_info["class_names"]
    if spec.choose_on == VALIDATION:
        _require_validation(images_info)
        tables = {
            name: validation_rows(read_predictions(one, outputs, "further_predictions"))
            for name, one in members.items()
        }
        return join(tables, names, "validation images")
    if len({one.features and one.features.identity for one in members.values()}) < len(members):
        logger.warning(
            "Some members were trained on the same features, which is all that out-of-fold predictions know of them: they get "
            "the same weight, whatever each of them makes of the features."
        )
    tables = {name: _out_of_fold(name, one, spec.folds, len(names), features, seed) for name, one in members.items()}
    return join(tables, names, "training images")


def predict_held_out(vote: Vote, joined: Joined, spec: EnsembleSpec, seed: int) -> np.ndarray:
    """What an ensemble says of the images that weights are chosen by, fold by fold with the weights of the other folds.

    Returns:
        (n, classes) float64; rows sum to one.
    """
    from sklearn.model_selection import KFold

    members = len(joined.probability)
    if vote.choose is None:
        return vote.combine(joined.probability, np.full(members, 1 / members))
    probability = np.empty(joined.probability.shape[1:])
    for chosen_by, held_out in KFold(spec.folds, shuffle=True, random_state=seed).split(joined.label):
        choosing = Choosing(joined.probability[:, chosen_by], joined.label[chosen_by], spec.rounds)
        probability[held_out] = vote.combine(joined.probability[:, held_out], vote.choose(choosing))
    return probability


def _require_validation(images_info: dict[str, Any]) -> None:
    if not images_info.get("validation_size"):
        raise UserError(
            "ensemble.choose_on is 'validation', but no validation images were cut from the training images. Cut some "
            "(--params validation.share=0.15) and train the members again, or take ensemble.choose_on=out_of_fold."
        )
    if judged_split(images_info) == VALIDATION:
        raise UserError(
            "ensemble.choose_on is 'validation', but models are judged on the validation images here, since no test image "
            "has a label: an ensemble would be chosen by what it is judged on. Take ensemble.choose_on=cross_fit, which chooses for "
            "each fold of them by the others, or out_of_fold."
        )


def _out_of_fold(name: str, record: RunRecord, folds: int, classes: int, features: Path, seed: int) -> pd.DataFrame:
    """Predictions of the training images by a probe of the features that a member was trained on."""
    if record.features is None:
        raise UserError(
            f"The member {name!r} learned from no stored features, of which out-of-fold predictions are made. Cut "
            "validation images (--params validation.share=0.15), train it again, and take ensemble.choose_on=validation; or take "
            "ensemble.choose_on=cross_fit."
        )
    from scipy.sparse import issparse

    ids, label, matrix = _training_features(name, record, features)
    probability = out_of_fold(matrix, label, classes, _penalty(record, issparse(matrix)), folds, seed)
    right = float((probability.argmax(axis=1) == label).mean())
    logger.info(
        "%s: a probe of its features gets %.1f %% of %d training images right, out of %d folds.",
        name,
        100 * right,
        len(ids),
        folds,
    )
    return pd.DataFrame(
        {"image_id": ids, "label": label, "prediction": probability.argmax(axis=1), "probability": list(probability)}
    )


def _penalty(record: RunRecord, sparse: bool) -> Penalty:
    """That of a member that is a logistic regression; for others one that suits dense features, or sparse ones."""
    usual = PENALTY_OF_SPARSE if sparse else PENALTY
    if record.model != "logistic_regression":
        return usual
    return Penalty(record.params.get("reg_param", usual.strength), record.params.get("standardize", True))


def _training_features(
    name: str, record: RunRecord, features: Path
) -> tuple[np.ndarray, np.ndarray, "np.ndarray | csr_matrix"]:
    """Ids (n,), labels (n,) and features (n, d) of the training images, sorted by id."""
    import pyarrow.compute as pc
    from pyarrow import dataset

    folder = _table_of(record, features)
    try:
        info = json.loads(folder.with_suffix(".json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        info = {}
    if (
        info.get("images_fingerprint") != record.data.fingerprint
        or info.get("state_sha256") != record.features.state_sha256
    ):
        raise UserError(
            f"The features that {name!r} was trained on are not in {folder} any more: they were removed, or extracted anew. "
            "Extract them and train it again."
        )
    table = dataset.dataset(folder, format="parquet", exclude_invalid_files=True).to_table(
        columns=["image_id", "label", "features"], filter=pc.field("split") == "train"
    )
    matrix = _matrix(table.column("features").combine_chunks())
    ids = np.array(table.column("image_id").to_pylist(), dtype=object)
    order = np.argsort(ids)
    return ids[order], table.column("label").to_numpy()[order].astype(int), matrix[order]


def _matrix(features: "pa.Array") -> "np.ndarray | csr_matrix":
    """Features (n, d): lists of numbers, or sparse vectors of Spark ML."""
    import pyarrow as pa
    from scipy.sparse import csr_matrix

    if not pa.types.is_struct(features.type):
        return features.flatten().to_numpy().reshape(len(features), -1)
    values, indices = features.field("values"), features.field("indices")
    starts = np.append(0, np.cumsum(values.value_lengths().to_numpy()))
    parts = (values.flatten().to_numpy(), indices.flatten().to_numpy(), starts)
    return csr_matrix(parts, shape=(len(features), features.field("size")[0].as_py()))


def _table_of(record: RunRecord, features: Path) -> Path:
    """The feature table of a model: both lie below folders that source, subset and extractor name."""
    *above, _ = Path(record.artifacts[MODEL]).parts[
        : Path(record.artifacts[MODEL]).parts.index(record.parallelism.setting) + 1
    ]
    return features.joinpath(*above[-3:], "features")
