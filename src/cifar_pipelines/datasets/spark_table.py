"""A Parquet table that counts as there only when it is whole."""

from pathlib import Path
from typing import Any

from kedro.io import DatasetError
from kedro_datasets.spark import SparkDatasetV2


class SparkTableDataset(SparkDatasetV2):
    """A Spark table that a killed run cannot leave half-written and taken for whole.

    Spark writes the file `_SUCCESS` last. Without it, the table neither exists nor loads, and the next
    run writes it anew.
    """

    def _is_whole(self) -> bool:
        return (Path(str(self._get_load_path())) / "_SUCCESS").exists()

    def _exists(self) -> bool:
        return self._is_whole()

    def _load(self) -> Any:  # the name that Kedro wraps: SparkDatasetV2 defines it too
        """Loads the table.

        Raises:
            DatasetError: If it is missing or was not written to its end.
        """
        if not self._is_whole():
            raise DatasetError(f"{self._get_load_path()} is missing or was not written to its end.")
        return super()._load()
