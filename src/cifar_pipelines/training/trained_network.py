"""A trained network as plain data: a torch state dict with the configuration that builds the module for it."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from cifar_pipelines.backbones import InputSpec
from cifar_pipelines.networks import NetworkShape, build_network

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class TrainedNetwork:
    """A trained network.

    Attributes:
        network: Name of the network.
        options: Its options.
        shape: Image size and number of classes.
        state_dict: The weights.
        class_names: Names of the classes, by label.
        training: The configuration it was trained with.
    """

    network: str
    options: dict[str, Any]
    shape: NetworkShape
    state_dict: "dict[str, Tensor]"
    class_names: tuple[str, ...]
    training: dict[str, Any]

    def build(self) -> "nn.Module":
        """The module with the trained weights, in evaluation mode."""
        import torch

        module = build_network(self.network, self.shape, self.options)
        module.load_state_dict(self.state_dict)
        return module.eval().to(memory_format=torch.channels_last)

    @property
    def input(self) -> InputSpec:
        """What it expects of an image."""
        from cifar_pipelines.training.shard import MEAN, STD

        return InputSpec(self.shape.size, self.shape.size, mean=MEAN, std=STD)

    @property
    def parameter_count(self) -> int:
        """Number of weights, those included that were set from data and not learned."""
        return sum(parameter.numel() for parameter in self.build().parameters())

    def as_dict(self) -> dict[str, Any]:
        """Everything as tensors, texts, numbers and lists, which `torch.load` reads without running code."""
        return {
            "network": self.network,
            "options": self.options,
            "shape": asdict(self.shape),
            "state_dict": dict(self.state_dict),
            "class_names": list(self.class_names),
            "training": self.training,
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "TrainedNetwork":
        """The network that `as_dict` described."""
        shape, names = NetworkShape(**content["shape"]), tuple(content["class_names"])
        return cls(**content | {"shape": shape, "class_names": names})
