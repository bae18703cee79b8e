"""The node that draws a network, for the families that train some."""

from pathlib import Path

from cifar_pipelines.backbones import TextSpec
from cifar_pipelines.common.lazy_types import Figure
from cifar_pipelines.datasets.trained_network import SavedNetwork


def draw_network(network: SavedNetwork) -> Figure:
    """Draws the parts of a network as it was loaded back."""
    import torch

    from cifar_pipelines.plots.of_network import plot_network
    from cifar_pipelines.training.layers import parts_of

    trained = network.network
    module, size = trained.build(), trained.input.size
    if isinstance(trained.input, TextSpec):
        given, example = ("text", f"{size} tokens"), trained.input.example(1)
    else:
        given, example = ("image", f"3 × {size} × {size}"), torch.zeros(1, 3, size, size)
    total = sum(parameter.numel() for parameter in module.parameters())
    title = f"{Path(network.path).stem}: the network"
    return plot_network(parts_of(module, example), given, len(trained.class_names), total, title)
