"""Frames in, features out: the same bits for a frame whatever micro-batch it comes in."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.images import examine
from cifar_pipelines.common.lazy_types import Column, DataFrame, SparkSession
from cifar_pipelines.common.tables import FRAME_FEATURES
from cifar_pipelines.common.words import counted
from cifar_pipelines.incremental.feature_cache import FeatureCache
from cifar_pipelines.incremental.training import UNKNOWN, Frames
from cifar_pipelines.pipelines.features.worker import ExtractionJob, extract_array
from cifar_pipelines.pipelines.tasks import TASKS_PER_CORE
from cifar_pipelines.training.augmentation import Chain

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger(__name__)

TIMES = ["scheduled_at", "sent_at", "landed_at"]
PLACE = ["sequence", "position"]
OF_FRAMES = FRAME_FEATURES.names[:-2]  # what a row says beside the image and what is made of it


@dataclass(frozen=True)
class FrameJob:
    """What an executor does with the images of frames.

    Attributes:
        extraction: The extraction.
        dimension: Numbers per image.
        on_bad_image: "fail" ends the run at an image that cannot be decoded; "skip" neither judges nor learns it.
        augmentation: What is drawn anew for every image in every epoch.
        seed: Seed of what is drawn.
    """

    extraction: ExtractionJob
    dimension: int
    on_bad_image: str
    augmentation: Chain
    seed: int


class FrameFeatures:
    """Makes features of the images of micro-batches, each content once.

    Args:
        job: What is done with an image.
        cores: Cores of all executors.
        cache: Features that were extracted before; None extracts everything.

    Attributes:
        stored: Images whose features were there.
    """

    def __init__(self, job: FrameJob, cores: int, cache: FeatureCache | None) -> None:
        self._job, self._tasks, self._cache = job, cores * TASKS_PER_CORE, cache
        self._keys: list[int] = []
        self._units = 1  # of a frame, as the last micro-batch had them
        self.stored = 0

    def __call__(self, frames: DataFrame) -> tuple[Frames, pd.DataFrame]:
        """Takes a micro-batch of whole frames, with the columns `FRAMES`.

        Returns:
            The frames as learners take them; and a row for each, by `sequence`: `images`, and `TIMES` in seconds since 1970.
        """
        rows, x, damaged = self._extracted(frames) if self._cache is None else self._stored(frames, self._cache)
        if damaged.any():
            logger.warning("%s cannot be decoded: neither judged nor learned.", counted(int(damaged.sum()), "image"))
        label = rows["label"].fillna(UNKNOWN).to_numpy(np.int64)
        numbers = (rows[name].to_numpy(np.int64) for name in ("sequence", "position", "epoch"))
        times = rows.groupby("sequence", as_index=False).agg(
            images=("position", "size"), **{name: (name, "first") for name in TIMES}
        )
        return Frames(*numbers, x, np.where(damaged, UNKNOWN, label)), times

    def _key(self) -> Column:
        """What the features of an image depend on, beside extractor and augmentations."""
        from pyspark.sql import functions as F  # noqa: N812

        made_of = F.col("image")
        if self._job.augmentation.links:
            draw = F.encode(
                F.format_string("\0%d\0%d\0%s", F.lit(self._job.seed), F.col("epoch"), F.col("image_id")), "UTF-8"
            )
            made_of = F.concat(made_of, draw)
        return F.unhex(F.sha2(made_of, 256))

    def _stored(self, frames: DataFrame, cache: FeatureCache) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
        """Like `_extracted`, and stores what is not there yet.

        Of frames with an image whose features are not there all images are extracted: features depend in their last digits
        on the neighbours.
        """
        rows = _in_order(frames.select(*OF_FRAMES, self._key().alias("key")).toPandas())
        keys = [bytes(key) for key in rows["key"]]
        there = np.array([key in cache for key in keys], bool)
        self.stored += int(there.sum())
        damaged = np.zeros(len(rows), bool)
        if not there.all():
            missing = rows["sequence"].isin(rows.loc[~there, "sequence"]).to_numpy()
            names = [int(sequence) for sequence in rows.loc[missing, "sequence"].unique()]
            found, x, damaged[missing] = self._extracted(frames.where(frames["sequence"].isin(names)))
            if not np.array_equal(found[PLACE], rows.loc[missing, PLACE]):
                raise UserError(
                    f"Frames {names} changed while they were read. Let nothing but the receiver write there."
                )
            whole = ~damaged[missing]
            cache.add([key for key, good in zip(np.array(keys, object)[missing], whole, strict=True) if good], x[whole])
        x = np.zeros((len(rows), self._job.dimension), np.float32)
        x[~damaged] = cache.look_up([key for key, bad in zip(keys, damaged, strict=True) if not bad])
        return rows, x, damaged

    def _extracted(self, frames: DataFrame) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
        """What the rows of frames say (n), in order; features (n, dimension) of their images, and which are damaged (n,)."""
        from pyspark.sql import functions as F  # noqa: N812

        job = self._job
        unit = F.floor(F.col("position") / job.extraction.micro_batch)
        columns = frames.select(*OF_FRAMES, "image_id", "image", unit.alias("unit"))
        self._keys = self._keys or keys_of_tasks(frames.sparkSession, self._tasks)
        # PARALLEL(executors): every core decodes and extracts images of the micro-batch.
        spread = columns.repartition(self._tasks, _key_of_unit(self._keys, self._units)).sortWithinPartitions(*PLACE)
        table = spread.mapInArrow(lambda batches: extract_frames(batches, job), FRAME_FEATURES.ddl).toPandas()
        table = _in_order(table)
        self._units = int(table["position"].max()) // job.extraction.micro_batch + 1 if len(table) else self._units
        x = np.frombuffer(b"".join(table.pop("features")), "<f4").reshape(len(table), job.dimension)
        return table, x, table["damaged"].to_numpy(bool)


def keys_of_tasks(session: SparkSession, tasks: int) -> list[int]:
    """Numbers by which Spark puts rows into the first task, the second and so on.

    It spreads rows by a hash, which puts a few units now into one task and now into none: a micro-batch of one frame would wait
    for the task that got three.
    """
    tried = session.range(40 * tasks).selectExpr("id", f"pmod(hash(id), {tasks}) AS task").toPandas()
    return tried.drop_duplicates("task").sort_values("task")["id"].tolist()


def _key_of_unit(keys: Sequence[int], units: int) -> Column:
    """The key of the task of a unit: one after the other, over frames of so many units."""
    from pyspark.sql import functions as F  # noqa: N812

    task = F.pmod(F.col("sequence") * units + F.col("unit"), F.lit(len(keys)))
    return F.element_at(F.array(*(F.lit(key).cast("long") for key in keys)), (task + 1).cast("int"))


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of frames as they were sent, each once."""
    return rows.drop_duplicates(PLACE).sort_values(PLACE, ignore_index=True)


def extract_frames(batches: Iterable["pa.RecordBatch"], job: FrameJob) -> Iterator["pa.RecordBatch"]:
    """Extracts the images of a partition, unit by unit; `FRAME_FEATURES` are its columns.

    A network's last digits depend on which images enter it together, so that these are always the same: a unit, which are
    neighbours in a frame.
    """
    import pyarrow as pa

    batches = list(batches)
    if not sum(batch.num_rows for batch in batches):
        return
    table = pa.Table.from_batches(batches)
    units = np.stack([table["sequence"].to_numpy(), table["unit"].to_numpy()])
    starts = np.flatnonzero(np.r_[True, (units[:, 1:] != units[:, :-1]).any(axis=0)])
    parts = [
        _extract_unit(table.slice(start, end - start), job)
        for start, end in zip(starts, [*starts[1:], table.num_rows], strict=True)
    ]
    stored = [row.tobytes() for features, _ in parts for row in np.ascontiguousarray(features, "<f4")]
    damaged = np.concatenate([damaged for _, damaged in parts]).astype(np.int32)
    # One batch for all of them: every batch costs a millisecond on its way back through Spark.
    yield FRAME_FEATURES.batch(*(table[name].combine_chunks() for name in OF_FRAMES), damaged, stored)


def _extract_unit(rows: "pa.Table", job: FrameJob) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, dimension) of a unit, and which of its images are damaged (n,)."""
    images = rows["image"].to_pylist()
    try:
        return _extract(rows, job), np.zeros(len(images), bool)
    except Exception:  # decoders raise many kinds; whether one of them was it, the images say
        reasons = [examine(image).error for image in images]
        damaged = np.array([reason is not None for reason in reasons])
        if not damaged.any():
            raise
    if job.on_bad_image == "fail":
        first = int(damaged.argmax())
        raise UserError(
            f"The image {rows['image_id'][first].as_py()!r} of frame {rows['sequence'][first].as_py()} cannot be decoded "
            f"({reasons[first]}). Give --params on_bad_image=skip to learn from the others, or serve the images without it."
        )
    features = np.zeros((len(images), job.dimension), np.float32)
    if not damaged.all():
        features[~damaged] = _extract(rows.filter(~damaged), job)
    return features, damaged


def _extract(rows: "pa.Table", job: FrameJob) -> np.ndarray:
    """Features of the images of a unit, augmented where that is wanted."""
    from cifar_pipelines.training.draws import Draws, image_keys

    images = rows["image"].to_pylist()
    if not job.augmentation.links:
        return extract_array(job.extraction, images)
    ids, epoch = rows["image_id"].to_pylist(), rows["epoch"][0].as_py()

    def change(pixels: object, start: int) -> object:
        drawn = Draws.begin(image_keys(ids[start : start + len(pixels)]), job.seed, epoch)
        return job.augmentation(pixels, drawn)

    return extract_array(job.extraction, images, change)
