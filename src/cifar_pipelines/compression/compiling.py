"""Modules as code that torch's Inductor generates; it needs a C++ compiler where it runs."""

import torch
from torch import Tensor, nn


def obstacle() -> str | None:
    """Why nothing can be compiled on this host, in a sentence; None if it can."""
    from torch._inductor import cpp_builder, exc

    try:
        cpp_builder.get_cpp_compiler()
    except exc.InvalidCxxCompiler:
        return "torch compiles networks with a C++ compiler, and this host has none: install g++."
    return None


class Compiled(nn.Module):
    """A module that is compiled at its first call, with its weights as constants; weights can be prepared so."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._call = torch.compile(module, dynamic=True)

    def forward(self, images: Tensor) -> Tensor:
        """Maps images to what the module maps them to."""
        from torch._inductor import config

        with config.patch(freezing=True):
            return self._call(images)


def compiled(module: nn.Module) -> nn.Module:
    """The module, compiled for any number of images."""
    return Compiled(module)
