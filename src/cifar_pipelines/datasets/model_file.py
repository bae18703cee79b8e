"""What datasets of saved models have in common whose model is one file."""

from abc import abstractmethod
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from kedro.io import AbstractVersionedDataset, Version

from cifar_pipelines.common import whole_files

Model = TypeVar("Model")
Saved = TypeVar("Saved")


class ModelFileDataset(AbstractVersionedDataset[Model, Saved]):
    """Saves a model and loads it back, with the path and size of its file; the file gets its name only when it is complete."""

    def __init__(
        self, *, filepath: str, version: Version | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        self.metadata = metadata
        super().__init__(PurePosixPath(filepath), version)

    @abstractmethod
    def _write(self, data: Model, file: Path) -> None:
        """Writes a model into a file that is not there yet."""

    @abstractmethod
    def _read(self, file: Path) -> Saved:
        """Reads a model; runs no code from the file."""

    def save(self, data: Model) -> None:
        """Writes the model, whole or not at all."""
        with whole_files.writing(Path(str(self._get_save_path()))) as partial:
            self._write(data, partial)

    def load(self) -> Saved:
        """Loads the model; runs no code from the file."""
        return self._read(Path(str(self._get_load_path())))

    def _exists(self) -> bool:
        return Path(str(self._get_load_path())).exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "version": self._version}
