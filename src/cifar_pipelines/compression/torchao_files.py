"""Networks in int8 by torchao for torch's Inductor: quantised, exported, and loaded as they are compiled."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cifar_pipelines.common import whole_files
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.compression.quiet import quiet
from cifar_pipelines.compression.subject import Subject

LAYERS = ("aten.conv2d.default", "aten.linear.default")


@torch.no_grad()
def quantise(module: nn.Module, subject: Subject, calibration: Sequence[Tensor], file: Path) -> tuple[int, int]:
    """Exports a subject's module, looks at the calibration images, quantises, and writes the exported program.

    Returns:
        How many layers compute with integers, and how many there are.

    Raises:
        UserError: If torchao cannot quantise the network.
    """
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86

    module = _with_padding_in_numbers(module)
    quantiser = x86.X86InductorQuantizer().set_global(x86.get_default_x86_inductor_quantization_config())
    try:
        prepared = prepare_pt2e(_exported(module, subject).module(), quantiser)
    except ValueError as error:
        raise UserError(f"torchao cannot quantise this network ({error}).") from error
    for images in calibration:
        prepared(images)
    converted = convert_pt2e(prepared)
    int8, layers = _layers(converted)
    if not int8:
        raise UserError(f"Nothing was quantised: none of its {layers} layers has integers for weights and images.")
    _forget_replaced_weights(converted)
    with quiet(), whole_files.writing(file) as partial, partial.open("wb") as stream:
        torch.export.save(_exported(converted, subject), stream)
    return int8, layers


def load_program(file: Path) -> nn.Module:
    """Loads a program that `quantise` has written."""
    import torchao.quantization.pt2e.quantize_pt2e  # noqa: F401  # registers the operations that are in the file

    with file.open("rb") as stream:
        return torch.export.load(stream).module()


def _exported(module: nn.Module, subject: Subject) -> Any:
    batch = {0: torch.export.Dim("batch")}
    return torch.export.export(module, (subject.example(2),), dynamic_shapes=(batch,))


def _with_padding_in_numbers(module: nn.Module) -> nn.Module:
    """Writes the padding "same" in pixels where both sides get as many: torchao knows no words."""
    for one in module.modules():
        if isinstance(one, nn.Conv2d) and one.padding == "same":
            both = [rate * (kernel - 1) for rate, kernel in zip(one.dilation, one.kernel_size, strict=True)]
            if not any(pixels % 2 for pixels in both):
                one.padding = tuple(pixels // 2 for pixels in both)
    return module


def _layers(converted: Any) -> tuple[int, int]:
    """Counts layers whose weight and input are both dequantised integers, which Inductor fuses, and all of them."""
    layers = [node for node in converted.graph.nodes if str(node.target) in LAYERS]
    int8 = [node for node in layers if all("dequantize" in str(one.target) for one in node.args[:2])]
    return len(int8), len(layers)


def _forget_replaced_weights(converted: Any) -> None:
    """Removes the float32 weights that integers have replaced; the file would hold them beside those."""
    used = {node.target for node in converted.graph.nodes if node.op == "get_attr"}
    held = [name for name, _ in (*converted.named_parameters(), *converted.named_buffers())]
    for name in held:
        if name not in used:
            owner, _, attribute = name.rpartition(".")
            delattr(converted.get_submodule(owner), attribute)
