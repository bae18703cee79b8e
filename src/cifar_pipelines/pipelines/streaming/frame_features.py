"""Frames in, features out: the same bits for a frame whatever micro-batch it comes in."""

import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.images import examine
from cifar_pipelines.common.lazy_types import DataFrame
from cifar_pipelines.common.tables import FRAME_FEATURES
from cifar_pipelines.common.words import counted
from cifar_pipelines.incremental.training import UNKNOWN, Frames
from cifar_pipelines.pipelines.features.worker import ExtractionJob, extract_array

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger(__name__)

TASKS_PER_CORE = 4


def features_of_frames(frames: DataFrame, job: ExtractionJob, cores: int, dimension: int, on_bad_image: str) -> Frames:
    """Extracts the features of a micro-batch on the executors, and collects them.

    A network's last digits depend on which images enter it together, so that these are always the same: neighbours in a frame.

    Args:
        frames: Whole frames, with the columns `FRAMES`.
        job: The extraction.
        cores: Cores of all executors.
        dimension: Numbers per image.
        on_bad_image: "fail" ends the run at an image that cannot be decoded; "skip" neither judges nor learns it.
    """
    from pyspark.sql import functions as F  # noqa: N812

    unit = F.floor(F.col("position") / job.micro_batch)
    columns = frames.select("sequence", "position", "epoch", "label", "image_id", "image", unit.alias("unit"))
    # PARALLEL(executors): every core decodes and extracts images of the micro-batch.
    spread = columns.repartition(cores * TASKS_PER_CORE, "sequence", "unit").sortWithinPartitions(
        "sequence", "position"
    )
    table = spread.mapInArrow(
        lambda batches: extract_frames(batches, job, dimension, on_bad_image), FRAME_FEATURES.ddl
    ).toPandas()
    x = np.stack(table["features"].to_numpy()) if len(table) else np.zeros((0, dimension), np.float32)
    label = table["label"].fillna(UNKNOWN).to_numpy(np.int64)
    if damaged := int(table["damaged"].sum()):
        logger.warning("%s cannot be decoded: neither judged nor learned.", counted(damaged, "image"))
    numbers = (table[name].to_numpy(np.int64) for name in ("sequence", "position", "epoch"))
    return Frames(*numbers, x, label)


def extract_frames(
    batches: Iterable["pa.RecordBatch"], job: ExtractionJob, dimension: int, on_bad_image: str
) -> Iterator["pa.RecordBatch"]:
    """Extracts the images of a partition, unit by unit, as `features_of_frames` says; `FRAME_FEATURES` are its columns."""
    import pyarrow as pa

    batches = list(batches)
    if not sum(batch.num_rows for batch in batches):
        return
    table = pa.Table.from_batches(batches)
    units = np.stack([table["sequence"].to_numpy(), table["unit"].to_numpy()])
    starts = np.flatnonzero(np.r_[True, (units[:, 1:] != units[:, :-1]).any(axis=0)])
    for start, end in zip(starts, [*starts[1:], table.num_rows], strict=True):
        rows = table.slice(start, end - start)
        features, damaged = _extract_unit(rows, job, dimension, on_bad_image)
        sequence, position, epoch, label = (
            rows[name].to_pylist() for name in ("sequence", "position", "epoch", "label")
        )
        label = [None if bad else value for value, bad in zip(label, damaged, strict=True)]
        yield FRAME_FEATURES.batch(sequence, position, epoch, label, damaged.astype(np.int32), list(features))


def _extract_unit(
    rows: "pa.Table", job: ExtractionJob, dimension: int, on_bad_image: str
) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, dimension) of a unit, and which of its images are damaged (n,)."""
    images = rows["image"].to_pylist()
    try:
        return extract_array(job, images), np.zeros(len(images), bool)
    except Exception:  # decoders raise many kinds; whether one of them was it, the images say
        reasons = [examine(image).error for image in images]
        damaged = np.array([reason is not None for reason in reasons])
        if not damaged.any():
            raise
    if on_bad_image == "fail":
        first = int(damaged.argmax())
        raise UserError(
            f"The image {rows['image_id'][first].as_py()!r} of frame {rows['sequence'][first].as_py()} cannot be decoded "
            f"({reasons[first]}). Give --params on_bad_image=skip to learn from the others, or serve the images without it."
        )
    features = np.zeros((len(images), dimension), np.float32)
    if not damaged.all():
        features[~damaged] = extract_array(job, [image for image, bad in zip(images, damaged, strict=True) if not bad])
    return features, damaged
