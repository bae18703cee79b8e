"""Structured pruning: whole channels are removed, and what is left is trained for some epochs more."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import whole
from cifar_pipelines.common.progress import Progress
from cifar_pipelines.compression.variants import Made, register
from cifar_pipelines.compression.variants._onnx import OnnxVariant

if TYPE_CHECKING:
    from torch import nn

    from cifar_pipelines.compression.subject import Material, Subject

ROUND_TO = 8  # channels; what is computed with vectors of 8 or 16 numbers gains nothing by fewer
WEIGHED_AT_ONCE = 4  # images whose gradients are added before they are squared


@register
@dataclass(frozen=True)
class StructuredPruning(OnnxVariant):
    """Channels that the loss depends on least are removed, with all that depends on them.

    By how much it would change is estimated from weights and the squares of their gradients over small batches of the calibration
    images (Molchanov et al., CVPR 2019, arXiv:1906.10771); what has to go together is found in the graph (Fang et al., CVPR 2023,
    arXiv:2301.12900).

    Attributes:
        channels: Share of the channels of every layer that is removed; operations fall with about its square.
        epochs: Passes over the training images afterwards; 0 for none.
        learning_rate: Learning rate of the first step.
        batch_size: Images per step.
    """

    channels: float = 0.2
    epochs: int = 10
    learning_rate: float = 0.02
    batch_size: int = 64

    packages: ClassVar[tuple[str, ...]] = (*OnnxVariant.packages, "torch_pruning")

    def __post_init__(self) -> None:
        what = "The option {} of structured_pruning"
        whole(what.format("epochs"), self.epochs, 0)
        whole(what.format("batch_size"), self.batch_size, 2)
        if not 0 < self.channels < 1:
            raise UserError(
                f"structured_pruning.channels is {self.channels!r}, but must be above 0 and below 1. Give 0.2."
            )
        if not 0 < self.learning_rate < math.inf:
            raise UserError(
                f"structured_pruning.learning_rate is {self.learning_rate!r}, but must be above 0. Give 0.02."
            )

    def make(self, subject: "Subject", material: "Material", file: Path) -> Made:
        """Removes channels, trains what is left, and exports it."""
        from cifar_pipelines.compression import onnx_files
        from cifar_pipelines.compression.fine_tuning import fine_tune
        from cifar_pipelines.compression.torch_files import flops_of, parameter_count

        module = subject.build()
        before = parameter_count(module)
        pruned = _pruned(module, subject, material, self.channels)
        if parameter_count(pruned) == before:
            raise UserError(
                f"Nothing was pruned: no layer has {ROUND_TO} channels to spare at a share of {self.channels:g}."
            )
        facts = {}
        if self.epochs:
            facts = fine_tune(pruned, subject, material, self.epochs, self.learning_rate, self.batch_size)
        onnx_files.export(pruned, subject, file)
        flops = flops_of(pruned, subject)
        return Made(parameter_count(pruned), flops, layers=onnx_files.layers_of(file)[1], facts=facts)


def _outputs(layer: "nn.Module") -> int | None:
    """How many numbers or channels a layer makes; a head is a linear layer, or a convolution."""
    return getattr(layer, "out_features", getattr(layer, "out_channels", None))


def _pruned(module: "nn.Module", subject: "Subject", material: "Material", channels: float) -> "nn.Module":
    """Removes channels from a module, those that its logits come from apart; returns the same module."""
    import torch
    import torch_pruning

    learned = {name: parameter.requires_grad for name, parameter in module.named_parameters()}
    for parameter in module.parameters():  # the library follows gradients from layer to layer
        parameter.requires_grad_(True)
    of_classes = [one for one in module.modules() if _outputs(one) == len(subject.class_names)]
    _weigh(module, subject, material)
    try:
        torch_pruning.pruner.MagnitudePruner(  # by the magnitude of what `importance` says
            module,
            subject.example(2),
            importance=torch_pruning.importance.TaylorImportance(),
            pruning_ratio=channels,
            ignored_layers=of_classes[-1:],
            round_to=ROUND_TO,
        ).step()
        with torch.inference_mode():
            module(subject.example(2))
    except Exception as error:  # of a graph that the library does not understand, in many kinds
        raise UserError(f"torch-pruning cannot prune this network ({type(error).__name__}: {error}).") from error
    module.zero_grad(set_to_none=True)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(learned[name])
    return module.eval()


def _weigh(module: "nn.Module", subject: "Subject", material: "Material") -> None:
    """Leaves in the place of every parameter's gradient how large it is over the calibration images; zero where it plays no part.

    That is the root of the sum of its squares over small batches. The gradient over all images would not do: where a network
    has learned them, those of single ones cancel out.
    """
    import torch
    from torch.nn.functional import cross_entropy

    images, labels = material.table.read("train", material.calibration_images)
    progress = Progress("Weighing channels, images", len(images))
    squares = [torch.zeros_like(parameter) for parameter in module.parameters()]
    for batch, classes in zip(images.split(WEIGHED_AT_ONCE), labels.split(WEIGHED_AT_ONCE), strict=True):
        module.zero_grad(set_to_none=True)
        cross_entropy(module(subject.normalise(batch)), classes).backward()
        for square, parameter in zip(squares, module.parameters(), strict=True):
            if parameter.grad is not None:
                square += parameter.grad**2
        progress.advance(len(batch))
    for square, parameter in zip(squares, module.parameters(), strict=True):
        parameter.grad = square.sqrt()
