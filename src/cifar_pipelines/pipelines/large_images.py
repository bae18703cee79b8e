"""Tables of images that are too large to be cached or collected as they are."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cifar_pipelines.common.images import shrink
from cifar_pipelines.common.squares import Square
from cifar_pipelines.common.tables import BATCH_BYTES

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

ROWS_PER_BATCH = "spark.sql.execution.arrow.maxRecordsPerBatch"


@contextmanager
def shrunk(images: "DataFrame", images_info: Mapping[str, Any], square: int | Square) -> Iterator["DataFrame"]:
    """Makes large images of a table as small as an extractor or network sees them, if a batch of them would not fit.

    `load_batch` of the same square gives the same pixels for them. Spark hands images to Python workers by their number,
    which is lower within the block; so what is computed of the table has to be computed, or cached, within it.

    Args:
        images: A table with the column `image`.
        images_info: The description of the image table; one that does not say how large images are is of small ones.
        square: What is made of images later, or its height and width in pixels.

    Yields:
        The table with a small PNG file for every large image, or as it was.
    """
    largest = images_info.get("largest_image_bytes") or 0
    session = images.sparkSession
    rows = session.conf.get(ROWS_PER_BATCH)
    limit = BATCH_BYTES // int(rows)
    if largest <= limit:
        yield images
        return
    session.conf.set(ROWS_PER_BATCH, max(1, BATCH_BYTES // largest))
    try:
        # PARALLEL(executors): every task decodes its share, so that nothing else ever holds many large images.
        yield images.mapInArrow(lambda batches: shrink_batches(batches, limit, square), images.schema)
    finally:
        session.conf.set(ROWS_PER_BATCH, rows)


def shrink_batches(batches: Iterable["pa.RecordBatch"], limit: int, square: int | Square) -> Iterator["pa.RecordBatch"]:
    """Replaces images of more than `limit` bytes in the column `image` by small ones, batch by batch; see `shrunk`."""
    import pyarrow as pa

    for batch in batches:
        files = (image.as_py() for image in batch.column("image"))
        small = pa.array([shrink(file, square) if len(file) > limit else file for file in files], pa.binary())
        columns = [small if name == "image" else batch.column(name) for name in batch.schema.names]
        yield pa.RecordBatch.from_arrays(columns, batch.schema.names)
