"""A folder that a node manages itself; the catalog only says where it is."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError


class FolderDataset(AbstractDataset[Any, Path]):
    """A folder, such as that of checkpoints."""

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        """Describes the folder; creates nothing.

        Args:
            path: The folder.
            metadata: Ignored by Kedro.
        """
        self._path = Path(path)
        self.metadata = metadata

    def load(self) -> Path:
        """Returns the absolute path of the folder, which need not exist."""
        return self._path.resolve()

    def save(self, data: Any) -> NoReturn:
        """Refuses to save."""
        raise DatasetError(
            "A folder is managed by the node that reads it. Remove it from the node's outputs."
        )

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}
