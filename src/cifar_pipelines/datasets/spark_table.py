"""A Parquet table that counts as there only when it is whole."""

import json
import shutil
from pathlib import Path
from typing import Any, ClassVar

from kedro.io import DatasetError
from kedro_datasets.spark import SparkDatasetV2

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.table_files import WrittenTable
from cifar_pipelines.common.tables import BATCH_BYTES
from cifar_pipelines.common.whole_files import PARTIAL
from cifar_pipelines.common.words import counted
from cifar_pipelines.sources import SPLITS
from cifar_pipelines.spark.paths import spark_pattern

SUCCESS = "_SUCCESS"


class TableError(UserError, DatasetError):
    """A table that is not to be believed; Kedro passes it on as it is."""


class SparkTableDataset(SparkDatasetV2):
    """A Spark table that a killed run cannot leave half-written and taken for whole.

    Spark writes the file `_SUCCESS` last. Without it, the table neither exists nor loads, and the next
    run writes it anew. The same holds for a table with other rows than `<table>.json` beside it says.
    """

    # Readers and writers hold a row group in memory. By default it has 128 MB, and 100 rows at least: 350 MB of
    # photographs.
    DEFAULT_SAVE_ARGS: ClassVar = {"parquet.block.size": BATCH_BYTES, "parquet.page.size.row.check.min": 1}

    def _fault(self) -> str | None:
        """What is wrong with the table, as the end of a sentence; None for a whole one."""
        folder = Path(str(self._get_load_path()))
        if not (folder / SUCCESS).exists():
            return "is missing or was not written to its end"
        description = folder.with_name(f"{folder.name}.json")
        try:
            described = _described_rows(description)
        except (ValueError, TypeError, AttributeError):
            return f"is described by {description.name} beside it, which cannot be read"
        if described is None or (rows := _count_rows(folder)) == described:
            return None
        found = "files that cannot be read" if rows is None else counted(rows, "row")
        return f"holds {found}, but {description.name} beside it says {counted(described, 'row')}: it was written by two runs at once, or changed"

    def _exists(self) -> bool:
        return self._fault() is None

    def _save(self, data: Any) -> None:  # the name that Kedro wraps
        """Writes a Spark table, or gives a `WrittenTable` its place."""
        if not isinstance(data, WrittenTable):
            super()._save(data)
            return
        # Begun by workers that were killed: Spark would read them as files of the table.
        for begun in data.folder.glob(f"*{PARTIAL}"):
            begun.unlink()
        target = Path(str(self._get_save_path()))
        (target / SUCCESS).unlink(missing_ok=True)  # first: half of a table is none
        shutil.rmtree(target, ignore_errors=True)
        data.folder.replace(target)
        (target / SUCCESS).touch()

    def _load(self) -> Any:  # the name that Kedro wraps: SparkDatasetV2 defines it too
        """Loads the table.

        Raises:
            TableError: If it is missing, was not written to its end, or has other rows than its description says.
        """
        from pyspark.sql import SparkSession

        from cifar_pipelines.spark.interactive import ensure_session

        if fault := self._fault():
            raise TableError(f"{self._get_load_path()} {fault}. Run the pipeline that makes it again.")
        ensure_session()
        reader = SparkSession.getActiveSession().read.format(self._file_format).options(**self._load_args)
        return reader.load(spark_pattern(str(self._get_load_path())))


def _described_rows(description: Path) -> int | None:
    """The rows that a table has by its description; None where nothing says it."""
    info = json.loads(description.read_text(encoding="utf-8")) if description.exists() else {}
    sizes = [info[name] for name in (f"{split}_size" for split in SPLITS) if name in info]
    return info.get("rows", sum(sizes) if sizes else None)


def _count_rows(folder: Path) -> int | None:
    """The rows of a table, by the last bytes of its files; None where one is damaged."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return sum(parquet.read_metadata(file).num_rows for file in folder.glob("*.parquet"))
    except (pa.ArrowInvalid, OSError):
        return None
