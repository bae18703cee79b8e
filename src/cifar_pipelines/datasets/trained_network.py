"""A trained network in the catalog: a torch file with state dict and configuration."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cifar_pipelines.datasets.model_file import ModelFileDataset

if TYPE_CHECKING:
    from cifar_pipelines.training.trained_network import TrainedNetwork
    from cifar_pipelines.training.transferred_network import TransferredNetwork


@dataclass(frozen=True)
class SavedNetwork:
    """A trained network as it was loaded back, with the path and size of its file."""

    network: "TrainedNetwork | TransferredNetwork"
    path: str
    size_bytes: int


class TrainedNetworkDataset(ModelFileDataset["TrainedNetwork | TransferredNetwork", SavedNetwork]):
    """Saves a `TrainedNetwork` or `TransferredNetwork` and loads it back."""

    def _write(self, data: "TrainedNetwork | TransferredNetwork", file: Path) -> None:
        import torch

        torch.save(data.as_dict(), file)

    def _read(self, file: Path) -> SavedNetwork:
        from cifar_pipelines.training.saved_network import read_network

        return SavedNetwork(read_network(file), str(file), file.stat().st_size)
