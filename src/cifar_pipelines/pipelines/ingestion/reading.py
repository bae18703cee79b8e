"""The reading of images: cut into tasks by bytes, and the work of a Python worker on its share."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from cifar_pipelines.common.images import examine
from cifar_pipelines.common.tables import BATCH_BYTES, IMAGES
from cifar_pipelines.sources import ImageSource

if TYPE_CHECKING:
    import pyarrow as pa

READ_IMAGES = IMAGES.with_columns(error="string", treated="string", digest="long")
TASK_BYTES = 64 * 2**20  # of images per task, and so of a file of the table
TASKS_PER_CORE = 4


def count_tasks(images: int, total_bytes: int, cores: int) -> int:
    """How many tasks read the images: a few per core, or as many as their bytes ask for, and no more than images."""
    return max(1, min(images, max(TASKS_PER_CORE * cores, -(-total_bytes // TASK_BYTES))))


def read_images(batches: Iterable["pa.RecordBatch"], source: ImageSource) -> Iterator["pa.RecordBatch"]:
    """Reads and checks images, and hands them over a few at a time where they are large.

    Args:
        batches: Rows of the manifest: `image_id`, `label`, `split` and `rank`.
        source: Where the images are.

    Yields:
        Record batches of `READ_IMAGES`.
    """
    for batch in batches:
        start = 0
        for images in in_parts(image for _, image in source.read(batch.column("image_id").to_pylist())):
            found = zip(*map(examine, images), strict=True)
            yield READ_IMAGES.batch(*batch.slice(start, len(images)).columns, images, *found)
            start += len(images)


def in_parts(images: Iterable[bytes], limit: int = BATCH_BYTES) -> Iterator[list[bytes]]:
    """Cuts images into lists that reach a number of bytes with their last image, or with the last of all."""
    part: list[bytes] = []
    held = 0
    for image in images:
        part.append(image)
        held += len(image)
        if held >= limit:
            yield part
            part, held = [], 0
    if part:
        yield part
