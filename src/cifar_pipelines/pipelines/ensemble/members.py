"""The members of an ensemble: saved models with the predictions that their runs left, joined by image."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.judging.predictions import check_predictions
from cifar_pipelines.pipelines.ensemble.specification import too_few
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.saved_models import Wanted, find_model
from cifar_pipelines.records.shelf import Loaders

OF_VERSION = "@"  # parts the name of a member from its version
UNKNOWN = -1  # the label of an image without one


@dataclass(frozen=True)
class Joined:
    """What all members say of the same images.

    Attributes:
        image_id: (n,) str, sorted.
        label: (n,) int, `UNKNOWN` for images without a label.
        probability: (members, n, classes) float64.
    """

    image_id: np.ndarray
    label: np.ndarray
    probability: np.ndarray


def find_members(
    names: Sequence[str], run_records: Loaders, models: Path, images_info: dict[str, Any]
) -> dict[str, RunRecord]:
    """The run records of the members, by name; each name may hold a version after "@", or be a path.

    Raises:
        UserError: If there are fewer than two, one is unknown, or one learned from other images.
    """
    found: dict[str, RunRecord] = {}
    for name in names:
        model, _, version = name.partition(OF_VERSION)
        record = find_model(run_records, Wanted(model, version or None, fingerprint=images_info["fingerprint"]), models)
        if record.data.fingerprint != images_info["fingerprint"]:
            raise UserError(
                f"The member {name!r} was judged on other images (fingerprint {record.data.fingerprint}) than these "
                f"({images_info['fingerprint']}). Name models of the same source, sizes and seed."
            )
        found[name] = record
    if len({(record.model, record.run_id) for record in found.values()}) < max(2, len(names)):
        raise too_few(list(names))
    return found


def join(tables: dict[str, pd.DataFrame], class_names: Sequence[str], what: str) -> Joined:
    """Joins predictions tables by image, never by place.

    Args:
        tables: Predictions tables by member.
        class_names: The classes.
        what: What the images are, for messages, such as "test images".

    Raises:
        UserError: If a member has no predictions, has predicted other images, or says another truth.
    """
    parts: list[Joined] = []
    for name, table in tables.items():
        if table.empty:
            raise UserError(f"The run of {name!r} left no predictions of {what}. Train that member again.")
        known = table["label"].notna().to_numpy()
        checked = check_predictions(table.assign(label=table["label"].where(known, table["prediction"])), class_names)
        order = np.argsort(checked.image_id)
        label = np.where(known, checked.label, UNKNOWN)
        parts.append(Joined(checked.image_id[order], label[order], checked.probability[order]))
    first = parts[0]
    for name, part in zip(tables, parts, strict=True):
        if not np.array_equal(part.image_id, first.image_id):
            raise UserError(
                f"{name!r} has predicted {len(part.image_id)} {what} that are not those of {next(iter(tables))!r} "
                f"({len(first.image_id)}). Name members that were judged on the same images."
            )
        if not np.array_equal(part.label, first.label):
            raise UserError(
                f"{name!r} and {next(iter(tables))!r} do not agree on the true classes of {what}. Train both again."
            )
    return Joined(first.image_id, first.label, np.stack([part.probability for part in parts]))
