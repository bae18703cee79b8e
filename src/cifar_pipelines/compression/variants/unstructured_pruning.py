"""Unstructured pruning: the smallest weights become zeros, which are stored and multiplied as all others are."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.compression.variants import Logits, Made, Variant, register

if TYPE_CHECKING:
    from cifar_pipelines.compression.subject import Material, Subject


@register
@dataclass(frozen=True)
class UnstructuredPruning(Variant):
    """The weights of smallest magnitude over all layers are zero; source: Han et al., 2015, arXiv:1506.02626.

    Attributes:
        share: Share of the weights of convolutions and linear layers that becomes zero.
    """

    share: float = 0.5

    ending: ClassVar[str] = "pt"
    runtime: ClassVar[str] = "torch"
    hollow: ClassVar[str] = "Zeros are stored and multiplied like other numbers: neither the file nor the time shrinks."

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise UserError(f"unstructured_pruning.share is {self.share!r}, but must be above 0 and below 1. Give 0.5.")

    def make(self, subject: "Subject", material: "Material", file: Path) -> Made:
        """Sets weights to zero."""
        import torch
        from torch import nn
        from torch.nn.utils import prune

        from cifar_pipelines.compression.torch_files import flops_of, parameter_count, save_weights

        module = subject.build().to(memory_format=torch.contiguous_format)  # as torch's pruning wants to see it
        layers = [(one, "weight") for one in module.modules() if isinstance(one, nn.Conv2d | nn.Linear)]
        prune.global_unstructured(layers, prune.L1Unstructured, amount=self.share)
        for layer, name in layers:
            prune.remove(layer, name)
        save_weights(module.state_dict(), file)
        zeros = sum(int((layer.weight == 0).sum()) for layer, _ in layers)
        return Made(parameter_count(module), flops_of(module, subject), facts={"zeros": zeros})

    def load(self, subject: "Subject", file: Path, threads: int) -> Logits:
        """Loads the weights."""
        from cifar_pipelines.compression.torch_files import load_module, logits_of

        return logits_of(load_module(subject, file))
