"""Depthwise convolutions that learn on a CPU in bf16: they compute in float32, in which their gradients cost a fraction.

Of bf16 oneDNN computes the gradients of such a convolution's weights several times as slowly as of float32, so that a step of
fine-tuning EfficientNet-Lite1 spent more than half of its time there. All other layers are faster in bf16.
"""

from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor


def learn_depthwise_in_float32(network: nn.Module) -> list[str]:
    """Has the depthwise convolutions of a network whose weights learn leave autocast, in place.

    Args:
        network: The network; it is changed, but neither its weights nor their names.

    Returns:
        Names of the convolutions.
    """
    found = [name for name, module in network.named_modules() if _is_depthwise(module) and module.weight.requires_grad]
    for name in found:
        module = network.get_submodule(name)
        module.__class__ = _in_float32(type(module))  # a class of its own: it survives copies of the network
    return found


def _is_depthwise(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1


class _InFloat32:
    """Computes in float32, whatever autocast is around it."""

    def forward(self, inputs: "Tensor") -> "Tensor":
        with torch.autocast(inputs.device.type, enabled=False):
            return super().forward(inputs.float())


@cache
def _in_float32(kind: type) -> type:
    return type(kind.__name__, (_InFloat32, kind), {})
