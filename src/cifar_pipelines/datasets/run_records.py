"""The folder of run records, which may still be empty."""

from collections.abc import Callable
from typing import Any

from kedro_datasets.partitions import PartitionedDataset


class RunRecordsDataset(PartitionedDataset):
    """A PartitionedDataset that loads as an empty dict where there is no partition yet.

    So the comparison itself can say which command makes run records.
    """

    def load(self) -> dict[str, Callable[[], Any]]:
        """Returns a function that loads the record, by record name."""
        self._invalidate_caches()
        return super().load() if super()._exists() else {}

    def _exists(self) -> bool:
        """Says that it is there, since a folder without records is one that can be read."""
        return True
