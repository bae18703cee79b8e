"""A pretrained network that was trained on, as plain data: a torch state dict with what builds the module for it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cifar_pipelines.backbones import InputSpec, TextSpec, create_backbone, input_from

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class TransferredNetwork:
    """A transferred network.

    Attributes:
        backbone: Its name, "<library>:<model>".
        input: What it expects of an image, or of a text.
        state_dict: The weights, those of the head included.
        class_names: Names of the classes, by label.
        training: The configuration it was trained with.
    """

    backbone: str
    input: InputSpec | TextSpec
    state_dict: "dict[str, Tensor]"
    class_names: tuple[str, ...]
    training: dict[str, Any]

    def build(self) -> "nn.Module":
        """The module with the trained weights, in evaluation mode."""
        import torch

        module = create_backbone(self.backbone, self.input).build(len(self.class_names), None)
        module.load_state_dict(self.state_dict)
        return module.eval().to(memory_format=torch.channels_last)

    @property
    def parameter_count(self) -> int:
        """Number of weights, frozen ones included."""
        return sum(parameter.numel() for parameter in self.build().parameters())

    def as_dict(self) -> dict[str, Any]:
        """Everything as tensors, texts, numbers and lists, which `torch.load` reads without running code."""
        return {
            "backbone": self.backbone,
            "input": self.input.saved(),
            "state_dict": dict(self.state_dict),
            "class_names": list(self.class_names),
            "training": self.training,
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "TransferredNetwork":
        """The network that `as_dict` described."""
        names = tuple(content["class_names"])
        return cls(**content | {"input": input_from(content["input"]), "class_names": names})
