"""A trained network in the catalog: a torch file with state dict and configuration."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractVersionedDataset, Version

from cifar_pipelines.common import whole_files

if TYPE_CHECKING:
    from cifar_pipelines.training.trained_network import TrainedNetwork
    from cifar_pipelines.training.transferred_network import TransferredNetwork


@dataclass(frozen=True)
class SavedNetwork:
    """A trained network as it was loaded back, with the path and size of its file."""

    network: "TrainedNetwork | TransferredNetwork"
    path: str
    size_bytes: int


class TrainedNetworkDataset(AbstractVersionedDataset["TrainedNetwork | TransferredNetwork", SavedNetwork]):
    """Saves a `TrainedNetwork` or `TransferredNetwork` and loads it back; the file gets its name only when it is complete."""

    def __init__(
        self, *, filepath: str, version: Version | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        self.metadata = metadata
        super().__init__(PurePosixPath(filepath), version)

    def save(self, data: "TrainedNetwork | TransferredNetwork") -> None:
        """Writes the network, whole or not at all."""
        import torch

        with whole_files.writing(Path(str(self._get_save_path()))) as partial:
            torch.save(data.as_dict(), partial)

    def load(self) -> SavedNetwork:
        """Loads the network; runs no code from the file."""
        from cifar_pipelines.training.saved_network import read_network

        path = Path(str(self._get_load_path()))
        return SavedNetwork(read_network(path), str(path), path.stat().st_size)

    def _exists(self) -> bool:
        return Path(str(self._get_load_path())).exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "version": self._version}
