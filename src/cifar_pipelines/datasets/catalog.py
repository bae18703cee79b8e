"""Kedro's catalog for a project below a folder of any name."""

from collections.abc import Iterator
from glob import escape
from pathlib import Path
from typing import Any

from kedro.io import AbstractVersionedDataset, DataCatalog


class Catalog(DataCatalog):
    """Finds the versions of a dataset whatever its folder is called; to Kedro, brackets in it stand for other signs."""

    def get(self, *args: Any, **options: Any) -> Any:
        """A dataset by its name, as Kedro's own."""
        dataset = super().get(*args, **options)
        if isinstance(dataset, AbstractVersionedDataset):
            dataset._glob_function = _versions
        return dataset


def _versions(pattern: str) -> Iterator[str]:
    """The files that Kedro looks for by `<folder>/*/<name>`."""
    folder, _, name = pattern.rpartition("/*/")
    return map(str, Path(folder).glob(f"*/{escape(name)}"))
