"""A learner that has learned, in the catalog: a file of numpy's arrays."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cifar_pipelines.datasets.model_file import ModelFileDataset

if TYPE_CHECKING:
    from cifar_pipelines.incremental.learned import LearnedModel


@dataclass(frozen=True)
class SavedLearner:
    """A learned model as it was loaded back, with the path and size of its file."""

    model: "LearnedModel"
    path: str
    size_bytes: int


class LearnedModelDataset(ModelFileDataset["LearnedModel", SavedLearner]):
    """Saves a `LearnedModel` and loads it back."""

    def _write(self, data: "LearnedModel", file: Path) -> None:
        import numpy as np

        with file.open("wb") as opened:
            np.savez(opened, allow_pickle=False, **data.as_arrays())

    def _read(self, file: Path) -> SavedLearner:
        import numpy as np

        from cifar_pipelines.incremental.learned import LearnedModel

        with np.load(file, allow_pickle=False) as arrays:
            return SavedLearner(LearnedModel.from_arrays(arrays), str(file), file.stat().st_size)
