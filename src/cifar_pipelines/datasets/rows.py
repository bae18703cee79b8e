"""Tables of which there is no file where they have no rows."""

from collections.abc import Callable
from typing import Any

import pandas as pd
from kedro_datasets.pandas import CSVDataset, ParquetDataset


class _Rows:
    """Of a table without rows no file is written, and a file that is not there is a table without rows."""

    @classmethod
    def _save_wrapper(cls, save: Callable[[Any, pd.DataFrame], None]) -> Callable[[Any, pd.DataFrame], None]:
        """Wraps saving as Kedro does, which would look for the version that was not written."""
        write = super()._save_wrapper(save)

        def save_rows(self: Any, data: pd.DataFrame) -> None:
            if len(data):
                write(self, data)

        save_rows.__wrapped__, save_rows.__savewrapped__ = save, True
        return save_rows

    @classmethod
    def _load_wrapper(cls, load: Callable[[Any], pd.DataFrame]) -> Callable[[Any], pd.DataFrame]:
        read = super()._load_wrapper(load)

        def load_rows(self: Any) -> pd.DataFrame:
            return read(self) if self.exists() else pd.DataFrame()

        load_rows.__wrapped__, load_rows.__loadwrapped__ = load, True
        return load_rows


class CsvRowsDataset(_Rows, CSVDataset):
    """A `CSVDataset` of a table that may have no rows."""


class ParquetRowsDataset(_Rows, ParquetDataset):
    """A `ParquetDataset` of a table that may have no rows."""
