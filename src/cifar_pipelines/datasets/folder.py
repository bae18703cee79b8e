"""A folder or file that a node manages itself; the catalog only says where it is."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError


class FolderDataset(AbstractDataset[Any, Path]):
    """A path, such as that of the folder of checkpoints."""

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        """Describes the path; creates nothing.

        Args:
            path: The folder or file.
            metadata: Ignored by Kedro.
        """
        self._path = Path(path)
        self.metadata = metadata

    def load(self) -> Path:
        """Returns the absolute path; nothing need be there."""
        return self._path.resolve()

    def save(self, data: Any) -> NoReturn:
        """Refuses to save."""
        raise DatasetError(
            "What lies there is managed by the node that reads the path. Remove it from the node's outputs."
        )

    def _exists(self) -> bool:
        """Says that it is there, since the path is all that is loaded."""
        return True

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}
