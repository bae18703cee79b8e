"""Kedro's catalog for a project below a folder of any name, and what to say of an entry that cannot be read."""

import os
from collections.abc import Iterator
from glob import escape
from pathlib import Path
from typing import Any

from kedro.io import AbstractVersionedDataset, DataCatalog, DatasetError


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


def behind_dataset(error: BaseException) -> BaseException:
    """The error that Kedro has wrapped into sentences on a dataset."""
    while isinstance(error, DatasetError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def not_moved(catalog: Any, name: str, doing: str, why: str) -> str:
    """What to say of a dataset that could not be moved between disk and node.

    Args:
        catalog: The catalog.
        name: The dataset.
        doing: "read" or "written".
        why: What went wrong.
    """
    said = f"{_where(catalog, name)} cannot be {doing}: {why.rstrip('.')}."
    if doing == "written":
        return f"{said} Nothing half-written is believed: mend what is wrong, and run the same command again."
    return (
        f"{said} It is damaged, or not as a run has written it. Put a whole copy back, or remove it and run the same command again, "
        "which makes it anew or says what does."
    )


def _where(catalog: Any, name: str) -> str:
    """Where a dataset lies; its name where it has no place on the disk."""
    dataset = catalog.get(name)
    try:
        path = dataset._get_load_path()
    except (AttributeError, DatasetError):  # it has no versions, or none is there
        path = getattr(dataset, "_filepath", getattr(dataset, "_path", None))
    return f"The dataset {name}" if path is None else os.path.relpath(path)
