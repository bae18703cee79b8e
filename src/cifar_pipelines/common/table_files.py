"""Image tables whose files Python workers write and read by themselves, without handing the images to the JVM."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

from cifar_pipelines.common.tables import BATCH_BYTES, IMAGES
from cifar_pipelines.common.whole_files import writing

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class WrittenTable:
    """A table whose files are written; it is there when the folder has its place, see `SparkTableDataset`."""

    folder: Path


@contextmanager
def table_file(target: Path) -> Iterator[Callable[["pa.RecordBatch"], None]]:
    """Gives a function that adds rows of `IMAGES` to a Parquet file, which is there when the block has ended well.

    Row groups have 16 MB, which is what a reader holds. Images are files that are compressed already, and all differ:
    they are stored as they are.
    """
    import pyarrow as pa
    from pyarrow import parquet

    names = [name for name in IMAGES.names if name != "image"]
    options = {"compression": {**dict.fromkeys(names, "snappy"), "image": "none"}, "use_dictionary": ["label", "split"]}
    pending: list[pa.RecordBatch] = []

    def flush() -> None:
        if pending:
            file.write_table(pa.Table.from_batches(pending))
            pending.clear()

    def write(rows: "pa.RecordBatch") -> None:
        pending.append(rows)
        if sum(batch.nbytes for batch in pending) >= BATCH_BYTES:
            flush()

    with (
        writing(target) as partial,
        parquet.ParquetWriter(partial, IMAGES.arrow, write_statistics=names, **options) as file,
    ):
        yield write
        flush()


def read_images_at(address: str, rows: Sequence[int]) -> Iterator[bytes]:
    """Reads some images of a table's file, no more than a row group at a time.

    Args:
        address: The file, as Spark names it.
        rows: The numbers of its rows, ascending.

    Yields:
        The images of the rows, in their order.
    """
    from pyarrow import parquet

    with parquet.ParquetFile(path_of(address)) as file:
        first, wanted = 0, list(rows)
        for group in range(file.num_row_groups):
            end = first + file.metadata.row_group(group).num_rows
            here = [row - first for row in wanted if first <= row < end]
            if here:
                yield from (image.as_py() for image in file.read_row_group(group, ["image"])["image"].take(here))
            first = end


def path_of(address: str) -> str:
    """The path of a file:// address, as Spark names the files of a table."""
    parsed = urlparse(address)
    return unquote(parsed.path) if parsed.scheme == "file" else address


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
