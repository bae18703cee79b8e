"""Tables of images that are too large to be cached or collected as they are."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from cifar_pipelines.common.images import shrink
from cifar_pipelines.common.squares import Square
from cifar_pipelines.common.table_files import in_parts, read_images_at
from cifar_pipelines.common.tables import BATCH_BYTES
from cifar_pipelines.pipelines.tasks import count_tasks

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

ROWS_PER_BATCH = "spark.sql.execution.arrow.maxRecordsPerBatch"
TASK_BYTES = 128 * 2**20  # of large images per task, which costs a worker a third of a second beside them
FILE, ROW = "file_path", "row_index"  # what Spark knows of the row of a file that it reads


def shrunk(
    images: "DataFrame", columns: Sequence[str], images_info: Mapping[str, Any], square: int | Square | None
) -> "DataFrame":
    """Makes large images of a table as small as an extractor or network sees them, if a batch of them would not fit.

    `load_batch` of the same square gives the same pixels for them. Spark plans which rows are needed, and Python workers
    read these out of the table's files by themselves: nothing but small images passes through the JVM.

    Args:
        images: The image table as it was loaded, or some of its rows.
        columns: Which of its columns to take, `image` among them.
        images_info: The description of the image table; one that does not say how large images are is of small ones.
        square: What is made of images later, or its height and width in pixels; None leaves them, or texts, as they are.

    Returns:
        The columns, with a small PNG file for every large image, or as they were.
    """
    largest = images_info.get("largest_image_bytes") or 0
    limit = BATCH_BYTES // int(images.sparkSession.conf.get(ROWS_PER_BATCH))
    selected = images.select(*columns)
    if largest <= limit or square is None:
        return selected
    others = [name for name in columns if name != "image"]
    rows = images.select(*others, f"_metadata.{FILE}", f"_metadata.{ROW}")
    cores = images.sparkSession.sparkContext.defaultParallelism
    rows = rows.coalesce(count_tasks(images_info.get("image_bytes", 0), cores, TASK_BYTES))
    # PARALLEL(executors): every task decodes its share, so that nothing else ever holds many large images.
    return rows.mapInArrow(lambda batches: shrink_rows(batches, columns, limit, square), selected.schema)


def spread(
    images: "DataFrame", columns: Sequence[str], images_info: Mapping[str, Any], square: int | Square | None, tasks: int
) -> "DataFrame":
    """The images of `shrunk`, shared out to so many tasks, and kept on the executors' disks once somebody counts them.

    Not in their memory, which is for the work on them. Whoever asks calls `unpersist` in the end.
    """
    from pyspark import StorageLevel

    return shrunk(images, columns, images_info, square).repartition(tasks).persist(StorageLevel.DISK_ONLY)


def shrink_rows(
    batches: Iterable["pa.RecordBatch"], columns: Sequence[str], limit: int, square: int | Square
) -> Iterator["pa.RecordBatch"]:
    """Puts images in the place of where they are, those of more than `limit` bytes as small ones; see `shrunk`.

    Args:
        batches: Rows with `file_path` and `row_index` and all of the columns but `image`.
        columns: The columns of the batches that are made.
        limit: Bytes.
        square: What is made of the images later.
    """
    import pyarrow as pa

    for batch in batches:
        start = 0
        for images in in_parts(file if len(file) <= limit else shrink(file, square) for file in _images_of(batch)):
            rows = batch.slice(start, len(images))
            small = pa.array(images, pa.binary())
            arrays = [small if name == "image" else rows.column(name) for name in columns]
            yield pa.RecordBatch.from_arrays(arrays, list(columns))
            start += len(images)


def _images_of(batch: "pa.RecordBatch") -> Iterator[bytes]:
    places = zip(batch.column(FILE).to_pylist(), batch.column(ROW).to_pylist(), strict=True)
    for address, rows in groupby(places, key=itemgetter(0)):
        yield from read_images_at(address, [row for _, row in rows])
