"""Nodes of the ingestion pipeline."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.images import examine
from cifar_pipelines.common.lazy_types import DataFrame, Figure, RecordBatch
from cifar_pipelines.common.options import whole
from cifar_pipelines.common.tables import IMAGES, image_table_fingerprint
from cifar_pipelines.pipelines.ingestion.subset import select_subset
from cifar_pipelines.plots import of_data
from cifar_pipelines.sources import SPLITS, ImageSource
from cifar_pipelines.spark.run_context import RunContext

logger = logging.getLogger(__name__)

SAMPLES_PER_CLASS = 10
LARGEST_SEED = 2**62  # what Spark ML and torch both take, with the number of a worker added
_READ_IMAGES = IMAGES.with_columns(error="string")


@dataclass(frozen=True)
class SubsetSpec:
    """How many images to take, and the seed that decides which."""

    train_size: int
    test_size: int
    seed: int

    def __post_init__(self) -> None:
        for name, least in (("train_size", 1), ("test_size", 1), ("seed", 0)):
            whole(name, getattr(self, name), least)
        if self.seed > LARGEST_SEED:
            raise UserError(f"seed is {self.seed}, but must be at most {LARGEST_SEED} (2^62). Take a smaller one.")


@dataclass(frozen=True)
class IngestionSpec:
    """How images are read.

    Attributes:
        on_bad_image: "fail" ends the run at images that cannot be decoded and names them; "skip" leaves
            them out and counts them.
    """

    on_bad_image: str

    def __post_init__(self) -> None:
        if self.on_bad_image not in ("fail", "skip"):
            raise UserError(f"on_bad_image is {self.on_bad_image!r}, but must be 'fail' or 'skip'.")


def index_source(image_source: ImageSource) -> pd.DataFrame:
    """Lists all images of the source.

    Returns:
        Columns `split`, `image_id`, `label` and `class_name`, one row per image.
    """
    parts = [image_source.index(split).assign(split=split) for split in SPLITS]
    index = pd.concat(parts, ignore_index=True)
    names = dict(enumerate(image_source.class_names))
    return index.assign(class_name=index["label"].map(names))[["split", "image_id", "label", "class_name"]]


def select_images(image_index: pd.DataFrame, subset: SubsetSpec) -> pd.DataFrame:
    """Selects the stratified, seeded, nested subset.

    Returns:
        The manifest: the selected rows of the index, with `rank` within the split.
    """
    selected = []
    for split, size in zip(SPLITS, (subset.train_size, subset.test_size), strict=True):
        part = image_index[image_index["split"] == split]
        what = "training images" if split == "train" else "test images"
        selected.append(select_subset(part, size, subset.seed, what))
    return pd.concat(selected, ignore_index=True)


def count_classes(images: pd.DataFrame) -> pd.DataFrame:
    """Counts images by split and class.

    Returns:
        Columns `split`, `label`, `class_name` and `count`, classes in the order of their labels.
    """
    counts = images.groupby(["split", "label", "class_name"], as_index=False).size()
    order = counts["split"].map({split: number for number, split in enumerate(SPLITS)})
    counts = counts.assign(order=order).sort_values(["order", "label"]).drop(columns="order")
    return counts.rename(columns={"size": "count"}).reset_index(drop=True)


def plot_source_classes(source_classes: pd.DataFrame, image_source: ImageSource) -> Figure:
    """Draws the class distribution of the complete data set."""
    return of_data.plot_class_distribution(source_classes, f"Complete data set: {image_source.name}")


def plot_subset_classes(subset_classes: pd.DataFrame, image_source: ImageSource) -> Figure:
    """Draws the class distribution of the selected subset."""
    return of_data.plot_class_distribution(subset_classes, f"Selected subset of {image_source.name}")


def plot_samples(image_source: ImageSource, image_manifest: pd.DataFrame) -> Figure:
    """Draws the first training images of every class of the subset that the sheet has room for."""
    drawn = image_manifest["label"] < of_data.MAX_ROWS
    train = image_manifest[drawn & (image_manifest["split"] == "train")]
    first = train.groupby("label").head(SAMPLES_PER_CLASS).sort_values(["label", "rank"])
    samples: dict[str, list[bytes]] = {name: [] for name in image_source.class_names}
    for class_name, (_, image) in zip(first["class_name"], image_source.read(first["image_id"]), strict=True):
        if examine(image).error is None:
            samples[class_name].append(image)
    return of_data.plot_sample_sheet(samples, f"Training images of {image_source.name}")


def write_images(
    image_source: ImageSource, image_manifest: pd.DataFrame, ingestion: IngestionSpec, run_context: RunContext
) -> tuple[DataFrame, dict[str, Any]]:
    """Reads and checks the selected images on the executors.

    Returns:
        The image table (`image_id` string, `label` int, `split` string, `rank` long, `image` binary,
        `height` and `width` int), and what identifies it.

    Raises:
        UserError: If images cannot be decoded and `on_bad_image` is "fail".
    """
    from cifar_pipelines.spark.session import active_session
    from cifar_pipelines.spark.timing import measured_work

    session = active_session()
    manifest = session.createDataFrame(image_manifest[["image_id", "label", "split", "rank"]])
    # PARALLEL(executors): every task reads, decodes and checks its share of the images.
    table = manifest.repartition(4 * run_context.cluster.cores).mapInArrow(
        lambda batches: _read_images(batches, image_source), _READ_IMAGES.ddl
    )
    table = table.persist()
    with measured_work(session, "Reading and checking images") as work:
        rows = table.where("error is not null").select("image_id", "error").orderBy("image_id").collect()
    bad = [f"{row['image_id']} ({row['error']})" for row in rows]
    if bad and ingestion.on_bad_image == "fail":
        raise UserError(
            f"{len(bad)} of {len(image_manifest)} images cannot be decoded: {'; '.join(bad[:5])}"
            f"{'; ...' if len(bad) > 5 else ''}. Replace them, or leave them out with "
            "--params on_bad_image=skip."
        )
    if bad:
        logger.warning("%d images cannot be decoded and are left out: %s", len(bad), "; ".join(bad[:5]))
    good = table.where("error is null").drop("error")
    counts = {row["split"]: row["count"] for row in good.groupBy("split").count().collect()}
    info = {
        "source": image_source.name,
        "origin": image_source.describe(),
        "source_fingerprint": image_source.fingerprint(),
        "fingerprint": image_table_fingerprint(good),
        "class_names": list(image_source.class_names),
        "train_size": counts.get("train", 0),
        "test_size": counts.get("test", 0),
        "bad_images_skipped": len(bad),
        "bad_images": bad[:100],
        "seconds": round(work.wall_s, 3),
        "setting": run_context.cluster.setting,
    }
    return good, info


def _read_images(batches: Iterator[RecordBatch], source: ImageSource) -> Iterator[RecordBatch]:
    for batch in batches:
        images = [image for _, image in source.read(batch.column("image_id").to_pylist())]
        checks = [examine(image) for image in images]
        sizes_and_errors = ([check[i] for check in checks] for i in range(3))
        yield _READ_IMAGES.batch(*batch.columns, images, *sizes_and_errors)
