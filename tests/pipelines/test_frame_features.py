"""What an executor does with the images of frames, without Spark."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from tests.factories.images import encode_image

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.extractors.kmeans_patches import KMeansPatches
from cifar_pipelines.pipelines.features.worker import ExtractionJob
from cifar_pipelines.pipelines.streaming.frame_features import FrameJob, _key_of_unit, extract_frames, keys_of_tasks
from cifar_pipelines.training.augmentation import build_augmentation

GOOD = [encode_image(size=(8, 8 + seed)) for seed in range(4)]


def frame_rows(*images, epoch=0):
    """Images of frame 7 as Spark hands them to a task, two in a unit."""
    count = len(images)
    return pa.RecordBatch.from_pydict(
        {
            "sequence": [7] * count, "position": range(count), "epoch": [epoch] * count,
            "image_id": [f"train/{number}" for number in range(count)], "image": list(images),
            "unit": [number // 2 for number in range(count)], "label": [None] * count,
            **{time: [1.0] * count for time in ("scheduled_at", "sent_at", "landed_at")},
        }
    )  # fmt: skip


def extracted(job, *batches):
    table = pa.Table.from_batches(extract_frames(batches, job)).to_pandas()
    return table.assign(features=[np.frombuffer(numbers, "<f4") for numbers in table["features"]])


@pytest.fixture(scope="module")
def job():
    extractor = KMeansPatches(input_size=8, centroids=3, patch_size=2, patches=100, mirror=False)
    state = extractor.prepare([encode_image(size=(8, 8 + seed)) for seed in range(5)], 0)
    extraction = ExtractionJob("test of frames", extractor, lambda: state, "fp32", 2)
    return FrameJob(extraction, 12, "skip", build_augmentation([]), 1)


def test_images_that_cannot_be_decoded_are_neither_judged_nor_learned_where_that_is_wanted(job):
    whole = extracted(job, frame_rows(*GOOD))
    table = extracted(job, frame_rows(GOOD[0], b"no image", GOOD[2]), frame_rows(b"", b""))
    assert table["damaged"].tolist() == [0, 1, 0, 1, 1]
    assert np.array_equal(table["features"][0], whole["features"][0]) and not np.any(table["features"][1])


def test_an_image_that_cannot_be_decoded_is_named(job):
    with pytest.raises(
        UserError, match=r"The image 'train/1' of frame 7 cannot be decoded \(.*\)\. Give --params on_bad_image=skip"
    ):
        extracted(replace(job, on_bad_image="fail"), frame_rows(encode_image(), b"no image"))


def test_what_augments_an_image_depends_on_seed_epoch_and_image_alone(job):
    job = replace(job, augmentation=build_augmentation(["shift", {"flip": {"probability": 0.5}}]))
    features = np.stack(extracted(job, frame_rows(*GOOD))["features"])
    damaged = np.stack(extracted(job, frame_rows(b"", *GOOD[1:]))["features"])
    assert np.allclose(features[1:], damaged[1:], atol=1e-6)
    for other in (frame_rows(*GOOD, epoch=1),):
        assert not np.allclose(features, np.stack(extracted(job, other)["features"]))
    assert not np.allclose(features, np.stack(extracted(replace(job, seed=2), frame_rows(*GOOD))["features"]))


def test_tasks_get_units_one_after_the_other(spark):
    from pyspark.sql import functions as F  # noqa: N812

    units = spark.session.range(48).select(
        (F.col("id") / 8).cast("long").alias("sequence"), (F.col("id") % 8).alias("unit")
    )
    spread = units.repartition(6, _key_of_unit(keys_of_tasks(spark.session, 6), units=8))
    assert [row["count"] for row in spread.groupBy(F.spark_partition_id()).count().collect()] == [8] * 6
