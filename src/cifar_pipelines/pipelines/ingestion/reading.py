"""The reading of images: cut into tasks by bytes, and the work of a Python worker on its share."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cifar_pipelines.common.table_files import in_parts, table_file
from cifar_pipelines.common.tables import IMAGES, TableSchema, image_hash
from cifar_pipelines.pipelines.tasks import count_tasks
from cifar_pipelines.sources import ImageSource

if TYPE_CHECKING:
    import pyarrow as pa

# What is known of an image once it was read; see `images.ImageCheck` and `tables.image_hash`.
CHECKED = TableSchema(
    image_id="string",
    label="int",
    split="string",
    error="string",
    treated="string",
    digest="long",
    bytes="long",
    hash="long",
)
TASK_BYTES = 64 * 2**20  # of images per task, and so of a file of the table


def count_readers(images: int, total_bytes: int, cores: int) -> int:
    """How many tasks read the images: `count_tasks`, but no more than images."""
    return max(1, min(images, count_tasks(total_bytes, cores, TASK_BYTES)))


def file_of_task() -> str:
    """The name of the file that this Spark task writes; if the task is started again, it writes the same once more."""
    from pyspark import TaskContext

    return f"part-{TaskContext.get().partitionId():05}.parquet"


def read_images(batches: Iterable["pa.RecordBatch"], source: ImageSource, target: Path) -> Iterator["pa.RecordBatch"]:
    """Reads and checks images, and writes those that can be decoded into a file of the table, whole or not at all.

    Args:
        batches: Rows of the manifest: `image_id`, `label`, `split` and `rank`.
        source: Where the images are.
        target: The file.

    Yields:
        Record batches of `CHECKED`, without the images.
    """
    with table_file(target) as write:
        for batch in batches:
            start = 0
            for images in in_parts(image for _, image in source.read(batch.column("image_id").to_pylist())):
                rows = batch.slice(start, len(images))
                heights, widths, errors, treated, digests = zip(*map(source.content.examine, images), strict=True)
                table = IMAGES.batch(*rows.columns, images, heights, widths)
                write(table.filter([error is None for error in errors]))
                keys = rows.column("image_id"), rows.column("label"), rows.column("split")
                hashes = map(image_hash, *(column.to_pylist() for column in keys), images)
                yield CHECKED.batch(*keys, errors, treated, digests, map(len, images), hashes)
                start += len(images)
