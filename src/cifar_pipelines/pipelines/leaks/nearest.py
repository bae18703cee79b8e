"""The nearest training images of many others, found block by block; the work of a Python worker on its share."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cifar_pipelines.common.tables import TableSchema

if TYPE_CHECKING:
    import pyarrow as pa

# One row for every image that is looked at. Distances are from 0 to 2 between features of length one; infinite where the
# share holds no such training image. `neighbour` is the nearest training image, `other_class` the distance to the nearest
# one of another class, and the last two are distance and label of the nearest one of another group.
NEAREST = TableSchema(
    query="int", distance="double", neighbour="string", neighbour_label="int", neighbour_group="int",
    other_class="double", other_group="double", other_group_label="int",
)  # fmt: skip
NO_GROUP = -1


@dataclass(frozen=True)
class Queries:
    """Images whose nearest training images are wanted.

    Attributes:
        features: (n, d) float32, rows of length one.
        labels: (n,) int.
        groups: (n,) int, the groups by number; `NO_GROUP` for all where they are not known.
        group_of: The number of the group of every training image; empty where they are not known.
    """

    features: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    group_of: dict[str, int]


def normalised(rows: Iterable[np.ndarray]) -> np.ndarray:
    """Features as (n, d) float32 of length one; one without length stays as it is."""
    features = np.stack([np.asarray(row, dtype=np.float32) for row in rows])
    length = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.where(length > 0, length, 1)


def nearest_batches(batches: Iterable["pa.RecordBatch"], queries: Queries) -> Iterator["pa.RecordBatch"]:
    """Finds the nearest training images of all queries within a share of the training images.

    Memory is bounded: a batch of training images is compared with all queries, and of each only the nearest is kept.

    Args:
        batches: Training images: columns `image_id`, `label` and `features`.
        queries: The others.

    Yields:
        One record batch of `NEAREST`; none for a share without images.
    """
    n = len(queries.labels)
    best = {name: np.full(n, np.inf) for name in ("any", "class", "group")}
    label, group, group_label = (np.full(n, -1) for _ in range(3))
    names = np.full(n, "", dtype=object)
    seen = False
    for batch in batches:
        if not batch.num_rows:
            continue
        seen = True
        ids = np.asarray(batch.column("image_id").to_pylist(), dtype=object)
        labels = batch.column("label").to_numpy()
        groups = np.array([queries.group_of.get(image_id, NO_GROUP) for image_id in ids])
        distance = _distances(queries.features, normalised(batch.column("features").to_numpy(zero_copy_only=False)))
        nearer, at = _improve(best, "any", distance)
        names[nearer], label[nearer], group[nearer] = ids[at], labels[at], groups[at]
        _improve(best, "class", np.where(queries.labels[:, None] == labels, np.inf, distance))
        if queries.group_of:
            own = queries.groups[:, None] == groups
            nearer, at = _improve(best, "group", np.where(own, np.inf, distance))
            group_label[nearer] = labels[at]
    if seen:
        yield NEAREST.batch(
            np.arange(n), best["any"], list(names), label, group, best["class"], best["group"], group_label
        )


def _distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Euclidean distances (n, m) of rows of length one."""
    return np.sqrt(np.clip(2 - 2 * (first @ second.T), 0, None))


def _improve(best: dict[str, np.ndarray], name: str, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Takes over smaller distances; returns which rows (n,) bool have one, and in which column of `distance` it stands."""
    at = distance.argmin(axis=1)
    found = distance[np.arange(len(at)), at]
    nearer = found < best[name]
    best[name][nearer] = found[nearer]
    return nearer, at[nearer]
