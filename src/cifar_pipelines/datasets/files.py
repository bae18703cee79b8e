"""Files that are loaded back as they are: the bytes of a PDF, the PNG of a plot, arrays."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset
from kedro_datasets.matplotlib import MatplotlibDataset

from cifar_pipelines.common import whole_files

if TYPE_CHECKING:
    import numpy as np

logger = logging.getLogger(__name__)


class BytesDataset(AbstractDataset[bytes, bytes]):
    """A file of bytes, such as a PDF."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._path, self.metadata = Path(filepath), metadata

    def load(self) -> bytes:
        """Returns the content of the file."""
        return self._path.read_bytes()

    def save(self, data: bytes) -> None:
        """Writes the file, whole or not at all."""
        whole_files.write_bytes(self._path, data)

    def _exists(self) -> bool:
        return self._path.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._path)}

    def _get_load_path(self) -> Path:
        return self._path


class ArraysDataset(AbstractDataset["dict[str, np.ndarray]", "dict[str, np.ndarray]"]):
    """Arrays by name, in a file of numpy that holds nothing that runs when it is loaded."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._path, self.metadata = Path(filepath), metadata

    def load(self) -> "dict[str, np.ndarray]":
        """Returns the arrays."""
        import numpy as np

        with np.load(self._path, allow_pickle=False) as arrays:
            return dict(arrays)

    def save(self, data: "dict[str, np.ndarray]") -> None:
        """Writes the file, whole or not at all.

        Raises:
            DatasetError: If a value is no array of numbers or text.
        """
        import numpy as np

        with whole_files.writing(self._path) as partial, partial.open("wb") as file:
            np.savez(file, allow_pickle=False, **data)
        if (former := self._path.with_suffix(".pkl")).exists():
            logger.warning(
                "%s is no longer read, because a pickle file may run programs: %s takes its place. Remove it.",
                former, self._path.name,
            )  # fmt: skip

    def _exists(self) -> bool:
        return self._path.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._path)}


class PlotDataset(MatplotlibDataset):
    """Saves a figure as a MatplotlibDataset does, and loads it as the bytes of the file.

    So a node that puts plots into a document can ask for them, and runs after they are drawn.
    """

    def load(self) -> bytes:
        """Returns the image file."""
        return Path(str(self._get_load_path())).read_bytes()
