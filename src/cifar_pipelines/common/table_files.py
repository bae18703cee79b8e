"""Image tables whose files Python workers write by themselves, without handing the images to the JVM."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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
