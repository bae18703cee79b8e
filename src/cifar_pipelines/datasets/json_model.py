"""A model that is a few words and numbers, in the catalog: a JSON file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cifar_pipelines.datasets.model_file import ModelFileDataset


@dataclass(frozen=True)
class SavedJson:
    """A model as it was loaded back, with the path and size of its file."""

    content: dict[str, Any]
    path: str
    size_bytes: int


class JsonModelDataset(ModelFileDataset[dict[str, Any], SavedJson]):
    """Saves the words and numbers that are a model, and loads them back."""

    def _write(self, data: dict[str, Any], file: Path) -> None:
        file.write_text(json.dumps(data, indent=2), encoding="utf-8")

    def _read(self, file: Path) -> SavedJson:
        return SavedJson(json.loads(file.read_text(encoding="utf-8")), str(file), file.stat().st_size)
