"""A learner that has learned, in the catalog: a file of numpy's arrays."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractVersionedDataset, Version

from cifar_pipelines.common import whole_files

if TYPE_CHECKING:
    from cifar_pipelines.incremental.learned import LearnedModel


@dataclass(frozen=True)
class SavedLearner:
    """A learned model as it was loaded back, with the path and size of its file."""

    model: "LearnedModel"
    path: str
    size_bytes: int


class LearnedModelDataset(AbstractVersionedDataset["LearnedModel", SavedLearner]):
    """Saves a `LearnedModel` and loads it back; the file gets its name only when it is complete."""

    def __init__(
        self, *, filepath: str, version: Version | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        self.metadata = metadata
        super().__init__(PurePosixPath(filepath), version)

    def save(self, data: "LearnedModel") -> None:
        """Writes the model, whole or not at all."""
        import numpy as np

        with whole_files.writing(Path(str(self._get_save_path()))) as partial, partial.open("wb") as file:
            np.savez(file, allow_pickle=False, **data.as_arrays())

    def load(self) -> SavedLearner:
        """Loads the model; runs no code from the file."""
        import numpy as np

        from cifar_pipelines.incremental.learned import LearnedModel

        path = Path(str(self._get_load_path()))
        with np.load(path, allow_pickle=False) as arrays:
            return SavedLearner(LearnedModel.from_arrays(arrays), str(path), path.stat().st_size)

    def _exists(self) -> bool:
        return Path(str(self._get_load_path())).exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "version": self._version}
