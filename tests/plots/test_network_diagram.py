from types import SimpleNamespace

import pytest
import torch
from matplotlib import pyplot as plt
from torch import nn

from cifar_pipelines.networks import NetworkShape, build_network
from cifar_pipelines.pipelines.diagram import draw_network
from cifar_pipelines.training.layers import parts_of


class Twice(nn.Module):
    """A part that is there before it is used, and one that is used twice."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(12, 3)
        self.act = nn.ReLU()
        self.body = nn.Sequential(nn.Conv2d(3, 3, 2, stride=2), nn.Flatten())

    def forward(self, images):
        return self.act(self.head(self.act(self.body(images))))


def test_parts_are_listed_as_an_image_passes_them():
    parts = parts_of(Twice().eval(), torch.zeros(1, 3, 4, 4))
    assert [(part.name, part.shape, part.parameters, part.times) for part in parts] == [
        ("body.0", (3, 2, 2), 39, 1), ("body.1", (12,), 0, 1), ("act", (3,), 0, 2), ("head", (3,), 39, 1)
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["airbench", "lenet"])
def test_every_network_is_drawn_with_all_that_it_learned(name):
    module = build_network(name, NetworkShape(32, 10)).eval()
    trained = SimpleNamespace(input=SimpleNamespace(size=32), class_names=range(10), build=lambda: module)
    figure = draw_network(SimpleNamespace(network=trained, path=f"models/{name}_bigdl.pt"))
    words = [text.get_text() for text in figure.axes[0].texts]
    total = sum(parameter.numel() for parameter in module.parameters())
    assert f"{total:,} in all" in words and "3 × 32 × 32" in words
    assert f"{name}_bigdl: the network" in figure.get_suptitle()
    plt.close("all")
