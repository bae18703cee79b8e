"""Nodes of the ingestion pipeline."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cifar_pipelines.common.contents import TEXT
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.images import thumbnail
from cifar_pipelines.common.lazy_types import Figure
from cifar_pipelines.common.options import ALL, whole, whole_or_all
from cifar_pipelines.common.table_files import WrittenTable
from cifar_pipelines.common.whole_files import emptied
from cifar_pipelines.pipelines.ingestion.findings import look_at, tally
from cifar_pipelines.pipelines.ingestion.reading import CHECKED, count_readers, file_of_task, read_images
from cifar_pipelines.pipelines.ingestion.subset import first_images, select_subset
from cifar_pipelines.pipelines.ingestion.validation import (
    EXAMPLE,
    NO_VALIDATION,
    ValidationSpec,
    cut_validation,
    require_judged,
)
from cifar_pipelines.plots import of_data
from cifar_pipelines.sources import SOURCE_SPLITS, SPLITS, ImageSource
from cifar_pipelines.spark.run_context import RunContext

SAMPLES_PER_CLASS = 10
SAMPLE_PX = 256
LARGEST_SEED = 2**62  # what Spark ML and torch both take, with the number of a worker added


@dataclass(frozen=True)
class SubsetSpec:
    """How many images to take, or "all", and the seed that decides which."""

    train_size: int | str
    test_size: int | str
    seed: int

    def __post_init__(self) -> None:
        for name, least in (("train_size", 1), ("test_size", 0)):
            whole_or_all(name, getattr(self, name), least)
        whole("seed", self.seed, 0)
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
        Columns `split`, `image_id`, `label` and `class_name`, one row per image. Images without a label have none of both.
    """
    parts = [image_source.index(split).assign(split=split) for split in SOURCE_SPLITS]
    if unlabelled := image_source.unlabelled():
        parts.append(
            pd.DataFrame({"image_id": unlabelled, "split": "predict"}).assign(
                label=pd.array([pd.NA] * len(unlabelled), "Int64")
            )
        )
    index = pd.concat([part for part in parts if len(part)], ignore_index=True)
    names = dict(enumerate(image_source.class_names))
    return index.assign(class_name=index["label"].map(names))[["split", "image_id", "label", "class_name"]]


def select_images(
    image_index: pd.DataFrame, subset: SubsetSpec, validation: ValidationSpec = NO_VALIDATION
) -> pd.DataFrame:
    """Selects the stratified, seeded, nested subset, and cuts validation images from training; images without labels are all taken.

    Returns:
        The manifest: the selected rows of the index, with `rank` within the split.

    Raises:
        UserError: If a split has too few images, all training images are of one class, validation cannot be cut (see
            `cut_validation`), or nothing with a label is left to judge a model on.
    """
    train, test, unlabelled = (image_index[image_index["split"] == split] for split in (*SOURCE_SPLITS, "predict"))
    train, test = (rows.astype({"label": "int64"}) for rows in (train, test))
    if train["label"].nunique() == 1:
        raise UserError(
            f"All training images ({len(train):,}) are of the class {train['class_name'].iloc[0]!r}, and a classifier needs "
            "two classes to tell apart. Add images of another class to the source."
        )
    require_judged(subset.test_size, validation)
    if subset.test_size and test.empty and len(unlabelled):
        raise UserError(
            f"test_size is {subset.test_size}, but the test images of the source have no labels. Give test_size=0, and "
            f"judge models on validation images that are cut from training, such as --params test_size=0,{EXAMPLE}."
        )
    left, held_out = cut_validation(train, validation, subset.seed)
    what = "training images" if held_out.empty else f"training images beside {len(held_out):,} for validation"
    selected = [first_images(left, _number(subset.train_size, left), what), held_out]
    if test_size := _number(subset.test_size, test):
        selected.append(select_subset(test, test_size, subset.seed, "test images"))
    selected.append(unlabelled.assign(rank=np.arange(len(unlabelled), dtype=np.int64)))
    return pd.concat([part for part in selected if len(part)], ignore_index=True)


def _number(size: int | str, there: pd.DataFrame) -> int:
    """How many images are asked for of those that there are."""
    return len(there) if size == ALL else size


def count_classes(images: pd.DataFrame) -> pd.DataFrame:
    """Counts images with labels by split and class.

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
    first = first[first["label"] < of_data.MAX_ROWS]
    samples: dict[str, list[bytes]] = {name: [] for name in image_source.class_names}
    for class_name, (_, image) in zip(first["class_name"], image_source.read(first["image_id"]), strict=True):
        if image_source.content.examine(image).error is None:
            samples[class_name].append(image if image_source.content is TEXT else thumbnail(image, SAMPLE_PX))
    title = f"Training {image_source.content.noun}s of {image_source.name}"
    if image_source.content is TEXT:
        from cifar_pipelines.plots.of_texts import plot_sample_texts

        return plot_sample_texts(samples, title)
    return of_data.plot_sample_sheet(samples, title)


def write_images(
    image_source: ImageSource,
    image_manifest: pd.DataFrame,
    ingestion: IngestionSpec,
    run_context: RunContext,
    image_parts: Path,
    validation: ValidationSpec = NO_VALIDATION,
) -> tuple[WrittenTable, dict[str, Any]]:
    """Reads and checks the selected images on the executors, whose Python workers write them.

    Args:
        image_source: Where the images are.
        image_manifest: Which of them, see `select_images`.
        ingestion: How they are read.
        run_context: The run.
        image_parts: A folder that driver and executors share; it holds the files of the table until the table is whole.
        validation: How validation images were chosen.

    Returns:
        The image table (`image_id` string, `label` int, `split` string, `rank` long, `image` binary,
        `height` and `width` int), and what identifies it.

    Raises:
        UserError: If images cannot be decoded and `on_bad_image` is "fail", or a class has no image without them.
    """
    from pyspark import StorageLevel

    from cifar_pipelines.spark.session import active_session
    from cifar_pipelines.spark.timing import measured_work

    session, ids = active_session(), image_manifest["image_id"].tolist()
    tasks = count_readers(len(ids), image_source.total_bytes(ids), run_context.cluster.cores)
    columns = image_manifest[["image_id", "label", "split", "rank"]]
    manifest = session.createDataFrame(columns.astype({"label": "Int64"}))  # null where there is no label
    with emptied(image_parts) as folder:
        # PARALLEL(executors): every task reads, decodes, checks and writes its share of the images.
        checked = manifest.repartition(tasks).mapInArrow(
            lambda batches: read_images(batches, image_source, folder / file_of_task()), CHECKED.ddl
        )
        checked = checked.persist(StorageLevel.DISK_ONLY)
        with measured_work(session, "Reading and checking images") as work:
            tallied = tally(checked)
        found = look_at(tallied, checked, image_source.class_names, ingestion.on_bad_image, image_source.content)
        checked.unpersist()
    held_out = int((image_manifest["split"] == "validation").sum())
    origin = image_source.describe()
    info = {
        "source": image_source.name,
        "content": image_source.content.noun,
        "origin": origin,
        "equal_left_out": origin.get("equal_left_out"),
        "source_fingerprint": image_source.fingerprint(),
        "validation": validation.describe(),
        "train_available": len(image_source.index("train")) - held_out,
        **found,
        "seconds": round(work.wall_s, 3),
        "setting": run_context.cluster.setting,
    }
    return WrittenTable(folder), info
