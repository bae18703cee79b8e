"""A folder or file that a node manages itself; the catalog only says where it is."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError


class FolderDataset(AbstractDataset[Any, Path]):
    """A path, such as that of the folder of checkpoints."""

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath, self.metadata = Path(path), metadata

    def load(self) -> Path:
        """Returns the absolute path; nothing need be there."""
        return self._filepath.resolve()

    def save(self, data: Any) -> NoReturn:
        """Refuses to save."""
        remedy = "Remove it from the node's outputs."
        raise DatasetError(f"What lies there is managed by the node that reads the path. {remedy}")

    def _exists(self) -> bool:
        """Says that it is there, since the path is all that is loaded."""
        return True

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._filepath)}
