"""A folder of JSON files: run records, applications, forecasts."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from cifar_pipelines.common.json_folder import json_file, json_loaders
from cifar_pipelines.common.whole_files import write_json


class RunRecordsDataset(AbstractDataset[Mapping[str, Any], dict[str, Callable[[], Any]]]):
    """JSON files at any depth below a folder, which need not exist yet: then there are none.

    So the comparison itself can say which command makes run records.
    """

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        self._path, self.metadata = Path(path), metadata

    def load(self) -> dict[str, Callable[[], Any]]:
        """Returns a function that loads a file, by its path below the folder without the ending."""
        return json_loaders(self._path)

    def save(self, data: Mapping[str, Any]) -> None:
        """Writes contents by name, each whole or not at all, beside what is there."""
        for name, content in data.items():
            write_json(json_file(self._path, name), content)

    def _exists(self) -> bool:
        """Says that it is there, since a folder without files is one that can be read."""
        return True

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}
