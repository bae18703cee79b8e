"""A small convolutional network that learns fast: whitened input, three groups of two or three convolutions.

Source: K. Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024, arXiv:2404.00498.
"""

from typing import Annotated

import torch
from torch import Tensor, nn

from cifar_pipelines.common.options import Range
from cifar_pipelines.networks import NetworkShape, register

WHITENING_KERNEL = 2
WHITENING_EPSILON = 5e-4
LOGIT_SCALE = 1 / 9  # keeps the first logits small, so that the high learning rate does not diverge


class ConvGroup(nn.Module):
    """Convolution, pooling to half the size, further convolutions; each normalised and followed by GELU.

    Where the group is three convolutions deep, what was pooled is added to what the last one gives.
    """

    def __init__(self, channels_in: int, channels_out: int, depth: int) -> None:
        super().__init__()
        self.conv1 = _conv(channels_in, channels_out)
        self.pool = nn.MaxPool2d(2)
        self.norm1 = _norm(channels_out)
        self.conv2 = _conv(channels_out, channels_out)
        self.norm2 = _norm(channels_out)
        self.deep = depth == 3
        if self.deep:
            self.conv3 = _conv(channels_out, channels_out)
            self.norm3 = _norm(channels_out)
        self.activation = nn.GELU()

    def forward(self, images: Tensor) -> Tensor:
        """Maps (n, channels_in, h, w) to (n, channels_out, h // 2, w // 2)."""
        pooled = self.activation(self.norm1(self.pool(self.conv1(images))))
        images = self.activation(self.norm2(self.conv2(pooled)))
        return self.activation(pooled + self.norm3(self.conv3(images))) if self.deep else images


class Airbench(nn.Module):
    """The network; see `airbench`."""

    def __init__(self, classes: int, widths: tuple[int, int, int], depth: int) -> None:
        super().__init__()
        whitened = 2 * 3 * WHITENING_KERNEL**2  # every principal direction with both signs
        self.whiten = nn.Conv2d(3, whitened, WHITENING_KERNEL, bias=True)
        self.whiten.weight.requires_grad = False
        nn.init.zeros_(self.whiten.bias)
        self.activation = nn.GELU()
        self.groups = nn.Sequential(
            *(ConvGroup(a, b, depth) for a, b in zip((whitened, *widths), widths, strict=False))
        )
        self.pool = nn.AdaptiveMaxPool2d(1)
        self.head = nn.Linear(widths[-1], classes, bias=False)

    def initialise(self, images: Tensor) -> None:
        """Sets the first layer to the whitening of patches of normalised images, float32 (n, 3, size, size)."""
        k = WHITENING_KERNEL
        patches = images.unfold(2, k, 1).unfold(3, k, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 3 * k * k)
        variances, directions = torch.linalg.eigh(patches.double().T @ patches.double() / len(patches))
        filters = (directions / (variances + WHITENING_EPSILON).sqrt()).T.reshape(-1, 3, k, k).flip(0)
        with torch.no_grad():
            self.whiten.weight.copy_(torch.cat([filters, -filters]))

    def forward(self, images: Tensor) -> Tensor:
        """Maps normalised images (n, 3, size, size) to logits (n, classes)."""
        features = self.groups(self.activation(self.whiten(images)))
        return self.head(self.pool(features).flatten(1)) * LOGIT_SCALE


def _conv(channels_in: int, channels_out: int) -> nn.Conv2d:
    conv = nn.Conv2d(channels_in, channels_out, 3, padding="same", bias=False)
    nn.init.dirac_(conv.weight[:channels_in])  # begins by passing its input on
    return conv


def _norm(channels: int) -> nn.BatchNorm2d:
    # In torch's convention, 0.4 keeps 60 % of the running mean: few steps must be enough.
    norm = nn.BatchNorm2d(channels, eps=1e-5, momentum=0.4)
    norm.weight.requires_grad = False
    return norm


@register(smallest=9, largest=96)
def airbench(
    shape: NetworkShape,
    *,
    width: Annotated[int, Range(1, 4096)] = 64,
    growth: Annotated[int, Range(1, 64)] = 4,
    depth: Annotated[int, Range(2, 3)] = 2,
) -> nn.Module:
    """Whitening 2x2 convolution, three groups of two or three 3x3 convolutions, batch norm and GELU.

    Args:
        shape: Image size and number of classes.
        width: Channels of the first group.
        growth: The second and third group have `growth` times as many.
        depth: Convolutions of a group; with three, a shortcut leads past the last two.
    """
    return Airbench(shape.classes, (width, growth * width, growth * width), depth)
