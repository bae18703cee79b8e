"""Networks that were saved, whatever trained them: read back as what they are, or loaded ready to predict."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cifar_pipelines.backbones import InputSpec, TextSpec
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.words import one_line
from cifar_pipelines.training.trained_network import TrainedNetwork
from cifar_pipelines.training.transferred_network import TransferredNetwork

if TYPE_CHECKING:
    from torch import nn


class LoadedNetwork(NamedTuple):
    """A network in evaluation mode, what it expects of an image or a text, and the names of its classes by label."""

    module: "nn.Module"
    input: InputSpec | TextSpec
    class_names: tuple[str, ...]


def network_from(content: dict[str, Any]) -> TrainedNetwork | TransferredNetwork:
    """The network that an `as_dict` described."""
    return (TransferredNetwork if "backbone" in content else TrainedNetwork).from_dict(content)


def read_network(file: Path) -> TrainedNetwork | TransferredNetwork:
    """Reads the file of a network; runs no code in it.

    Raises:
        UserError: If it is no such file.
    """
    import torch

    try:
        return network_from(torch.load(file, weights_only=True))
    except Exception as error:  # torch raises many kinds for other and for damaged files
        raise UserError(
            f"{file} cannot be read as a network ({type(error).__name__}: {one_line(str(error), 120)}). Give a file that a "
            "training of this project saved."
        ) from error


def load_network(file: Path) -> LoadedNetwork:
    """Loads a network ready to predict; see `read_network`."""
    network = read_network(file)
    return LoadedNetwork(network.build(), network.input, network.class_names)
