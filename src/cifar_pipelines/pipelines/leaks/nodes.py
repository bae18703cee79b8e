"""Nodes of the leaks pipeline."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.lazy_types import DataFrame
from cifar_pipelines.common.params import command_to_run
from cifar_pipelines.judging.outcomes import pack_outcomes
from cifar_pipelines.judging.statistics import accuracy_of
from cifar_pipelines.pipelines.ingestion.validation import ValidationSpec, groups_of
from cifar_pipelines.pipelines.leaks.nearest import NEAREST, NO_GROUP, Queries, nearest_batches, normalised

QUERY_BYTES = 64 * 2**20  # of features that are compared at once, in every Python worker
SHOWN = 20  # of the closest pairs


@dataclass(frozen=True)
class LeaksSpec:
    """What counts as a near twin.

    Attributes:
        near: A near twin is nearer than so many times the typical distance to an image of another class.
        group: A regular expression that finds the group in an image id, as `validation.group` does; None takes the groups of
            validation, where it is cut by group.
    """

    near: float
    group: str | None

    def __post_init__(self) -> None:
        number = isinstance(self.near, int | float) and not isinstance(self.near, bool)
        if not number or not 0 < self.near <= 1:
            raise UserError(f"leaks.near is {self.near!r}, but must be above 0 and at most 1. Give 0.5.")
        if self.group == "":
            raise UserError("leaks.group is empty. Give a regular expression that finds the group in an image's path.")
        if self.group is not None:
            ValidationSpec(0.1, "group", self.group)  # refuses what is no regular expression


def find_nearest(
    features: DataFrame,
    features_info: dict[str, Any],
    images_info: dict[str, Any],
    spec: LeaksSpec,
    validation: ValidationSpec,
) -> pd.DataFrame:
    """Finds the nearest training image of every test and validation image, on the executors.

    Returns:
        One row per image: `split`, `image_id`, `label`, `group` (text, or None where it is not known), `distance`, `neighbour`
        (its image id), `right` (whether that has the same class), `own_group` (whether it is of the same group),
        `other_class` (the distance to the nearest one of another class), and `other_group_right` (whether the nearest one
        of another group has the same class; None where groups are not known).

    Raises:
        UserError: If the features are of other images, or an image has no group.
    """
    if features_info["images_fingerprint"] != images_info["fingerprint"]:
        raise UserError(f"The features are those of other images. Extract them again: {command_to_run('features')}")
    if dict(features.dtypes)["features"] == "vector":
        raise UserError(
            f"The features of {features_info['extractor']} are sparse, and near twins are looked for among dense ones. Take the "
            "vectors of an encoder: --params extractor=transformers:<place>."
        )
    group_of = _groups(features, spec, validation)
    number_of = {group: number for number, group in enumerate(sorted(set(group_of.values())))}
    numbers = {image_id: number_of[group] for image_id, group in group_of.items()}
    train = features.where("split = 'train'").select("image_id", "label", "features")
    found = []
    for split in ("test", "validation"):
        if not images_info.get(f"{split}_size"):
            continue
        images = features.where(f"split = '{split}'").select("image_id", "label", "features").toPandas()
        images = images.sort_values("image_id", ignore_index=True)
        width = len(images["features"].iloc[0])
        rows = max(1, QUERY_BYTES // (4 * width))
        for start in range(0, len(images), rows):
            block = images.iloc[start : start + rows].reset_index(drop=True)
            found.append(_nearest(train, block, numbers).assign(split=split))
    table = pd.concat(found, ignore_index=True)
    return table.assign(group=table["image_id"].map(group_of) if group_of else None)


def measure_leaks(
    nearest_images: pd.DataFrame,
    features_info: dict[str, Any],
    images_info: dict[str, Any],
    spec: LeaksSpec,
    validation: ValidationSpec,
) -> dict[str, Any]:
    """Counts near twins, and says how many images their nearest training image gets right: of all, without twins, of others.

    Returns:
        By split the numbers of images and twins, the threshold, accuracies of the nearest neighbour with their intervals, the
        closest pairs, and which images have twins, as `pack_outcomes` packs it; and what they depend on.
    """
    splits = {split: _measured(rows, spec.near) for split, rows in nearest_images.groupby("split")}
    return {
        "images_fingerprint": images_info["fingerprint"],
        "extractor": features_info["extractor"],
        "near": spec.near,
        "group": _spec_of_groups(spec, validation) and (spec.group or validation.group or validation.table),
        "copies_across_splits": images_info.get("copies_across_splits", {}),
        "splits": splits,
    }


def _measured(rows: pd.DataFrame, near: float) -> dict[str, Any]:
    typical = float(rows["other_class"].median())
    twins = rows["distance"] < near * typical
    known = rows["group"].notna().all()
    closest = rows.sort_values(["distance", "image_id"]).head(SHOWN)
    packed = pack_outcomes(rows["image_id"], twins)
    measured = {
        "images": len(rows),
        "typical_distance": typical,
        "threshold": near * typical,
        "twins": int(twins.sum()),
        "packed": {"images": packed["images"], "twins": packed["right"]},
        "accuracy": accuracy_of(rows["right"]),
        "accuracy_without_twins": accuracy_of(rows.loc[~twins, "right"]),
        "closest": closest[["image_id", "neighbour", "distance", "right"]].values.tolist(),
    }
    if known:
        right = rows["right"].astype(bool)
        measured |= {
            "in_own_group": int(rows["own_group"].sum()),
            "right_in_own_group": float(rows.loc[right, "own_group"].mean()) if right.any() else None,
            "accuracy_of_other_groups": accuracy_of(rows["other_group_right"]),
        }
    return measured


def _nearest(train: DataFrame, images: pd.DataFrame, numbers: dict[str, int]) -> pd.DataFrame:
    """The nearest training images of some others; the shares of the executors meet on the driver."""
    groups = np.array([numbers.get(image_id, NO_GROUP) for image_id in images["image_id"]])
    queries = Queries(normalised(images["features"]), images["label"].to_numpy(), groups, numbers)
    broadcast = train.sparkSession.sparkContext.broadcast(queries)
    # PARALLEL(executors): every task compares its partition of the training images with all test images.
    shares = train.mapInArrow(lambda batches: nearest_batches(batches, broadcast.value), NEAREST.ddl).toPandas()
    broadcast.destroy()
    nearest = shares.sort_values(["query", "distance", "neighbour"]).drop_duplicates("query").set_index("query")
    others = shares.sort_values(["query", "other_group"]).drop_duplicates("query").set_index("query")
    label = images["label"]
    return images[["image_id", "label"]].assign(
        distance=nearest["distance"],
        neighbour=nearest["neighbour"],
        right=nearest["neighbour_label"] == label,
        own_group=(nearest["neighbour_group"] == groups) if numbers else None,
        other_class=shares.groupby("query")["other_class"].min(),
        other_group_right=(others["other_group_label"] == label) if numbers else None,
    )


def _groups(features: DataFrame, spec: LeaksSpec, validation: ValidationSpec) -> dict[str, str]:
    """The group of every image with a label; empty where nothing says it."""
    by = _spec_of_groups(spec, validation)
    if by is None:
        return {}
    ids = features.where("split != 'predict'").select("image_id").toPandas()["image_id"]
    return dict(zip(ids, groups_of(ids, by), strict=True))


def _spec_of_groups(spec: LeaksSpec, validation: ValidationSpec) -> ValidationSpec | None:
    if spec.group is not None:
        return ValidationSpec(0.1, "group", spec.group)
    return validation if validation.by == "group" else None
