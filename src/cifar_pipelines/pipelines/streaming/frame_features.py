"""Frames in, features out: the same bits for a frame whatever micro-batch it comes in."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from cifar_pipelines.common.lazy_types import DataFrame
from cifar_pipelines.common.tables import FRAME_FEATURES
from cifar_pipelines.incremental.training import UNKNOWN, Frames
from cifar_pipelines.pipelines.features.worker import ExtractionJob, extract_array

if TYPE_CHECKING:
    import pyarrow as pa

TASKS_PER_CORE = 4


def features_of_frames(frames: DataFrame, job: ExtractionJob, cores: int, dimension: int) -> Frames:
    """Extracts the features of a micro-batch on the executors, and collects them.

    A network's last digits depend on which images enter it together, so that these are always the same: neighbours in a frame.

    Args:
        frames: Whole frames, with the columns `FRAMES`.
        job: The extraction.
        cores: Cores of all executors.
        dimension: Numbers per image.
    """
    from pyspark.sql import functions as F  # noqa: N812

    unit = F.floor(F.col("position") / job.micro_batch)
    columns = frames.select("sequence", "position", "epoch", "label", "image", unit.alias("unit"))
    # PARALLEL(executors): every core decodes and extracts images of the micro-batch.
    spread = columns.repartition(cores * TASKS_PER_CORE, "sequence", "unit").sortWithinPartitions(
        "sequence", "position"
    )
    table = spread.mapInArrow(lambda batches: _extract(batches, job), FRAME_FEATURES.ddl).toPandas()
    x = np.stack(table["features"].to_numpy()) if len(table) else np.zeros((0, dimension), np.float32)
    label = table["label"].fillna(UNKNOWN).to_numpy(np.int64)
    numbers = (table[name].to_numpy(np.int64) for name in ("sequence", "position", "epoch"))
    return Frames(*numbers, x, label)


def _extract(batches: Iterator["pa.RecordBatch"], job: ExtractionJob) -> Iterator["pa.RecordBatch"]:
    """Extracts the images of a partition, unit by unit."""
    import pyarrow as pa

    batches = list(batches)
    if not sum(batch.num_rows for batch in batches):
        return
    table = pa.Table.from_batches(batches)
    units = np.stack([table["sequence"].to_numpy(), table["unit"].to_numpy()])
    starts = np.flatnonzero(np.r_[True, (units[:, 1:] != units[:, :-1]).any(axis=0)])
    for start, end in zip(starts, [*starts[1:], table.num_rows], strict=True):
        rows = table.slice(start, end - start)
        features = extract_array(job, rows["image"].to_pylist())
        columns = [rows[name].combine_chunks() for name in FRAME_FEATURES.names[:-1]]
        yield FRAME_FEATURES.batch(*columns, list(features))
