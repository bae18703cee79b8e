"""The plain baseline: two convolutions with pooling, three linear layers.

Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
recognition", Proceedings of the IEEE, 1998; with ReLU and maximum pooling, as is usual today.
"""

from typing import Annotated

from torch import nn

from cifar_pipelines.common.options import Range
from cifar_pipelines.networks import NetworkShape, register


@register(smallest=16, largest=96)
def lenet(shape: NetworkShape, *, width: Annotated[int, Range(1, 256)] = 1) -> nn.Module:
    """Two 5x5 convolutions of 6 and 16 channels, then 120, 84 and as many units as there are classes.

    Args:
        shape: Image size and number of classes.
        width: Multiplies channels and hidden units.
    """
    side = ((shape.size - 4) // 2 - 4) // 2
    return nn.Sequential(
        nn.Conv2d(3, 6 * width, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6 * width, 16 * width, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * width * side**2, 120 * width),
        nn.ReLU(),
        nn.Linear(120 * width, 84 * width),
        nn.ReLU(),
        nn.Linear(84 * width, shape.classes),
    )
