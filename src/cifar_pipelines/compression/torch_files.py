"""What variants that torch runs share: state dicts as files, the module as a function, counts."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from cifar_pipelines.common import whole_files
from cifar_pipelines.compression.quiet import quiet
from cifar_pipelines.compression.subject import Subject
from cifar_pipelines.compression.variants import Logits


def save_weights(weights: Mapping[str, Tensor], file: Path) -> None:
    """Writes a state dict, whole or not at all."""
    with whole_files.writing(file) as partial:
        torch.save(dict(weights), partial)


def load_module(subject: Subject, file: Path, dtype: torch.dtype = torch.float32) -> nn.Module:
    """The module with the weights of a file, in the layout that CPUs convolve fastest; runs no code from the file."""
    module = subject.build().to(dtype)
    module.load_state_dict(torch.load(file, weights_only=True))
    return module.eval().to(memory_format=torch.channels_last)


def logits_of(module: nn.Module, dtype: torch.dtype = torch.float32) -> Logits:
    """The module as the function that `Variant.load` returns."""

    @torch.inference_mode()
    def logits(images: Tensor) -> Tensor:
        return module(images.to(dtype, memory_format=torch.channels_last)).float()

    return logits


def parameter_count(module: nn.Module) -> int:
    """Number of weights."""
    return sum(parameter.numel() for parameter in module.parameters())


@torch.inference_mode()
def flops_of(module: nn.Module, subject: Subject) -> int:
    """Floating-point operations of convolutions and matrix products for one image, as torch counts them."""
    with quiet():  # torch warns that it counts nothing of Triton, which CPUs do without
        from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        module(subject.example(1))
    return counter.get_total_flops()
