from types import SimpleNamespace

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from torch import nn

from cifar_pipelines.backbones import create_backbone
from cifar_pipelines.networks import NetworkShape, build_network
from cifar_pipelines.pipelines.diagram import draw_network
from cifar_pipelines.report.document.to_typst import PIXELS_PER_CM
from cifar_pipelines.training.layers import parts_of
from cifar_pipelines.training.transferred_network import TransferredNetwork


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


@pytest.mark.parametrize("name", ["timm:test_efficientnet", "torchvision:squeezenet1_1"])
def test_a_pretrained_network_is_drawn_so_that_nothing_covers_anything_else(name):
    backbone = create_backbone(name)
    weights = backbone.build(10, None).state_dict()
    trained = TransferredNetwork(
        name, backbone.input_spec("none", 64, "squash"), weights, tuple(map(str, range(10))), {}
    )
    figure = draw_network(SimpleNamespace(network=trained, path="models/network.pt"))
    figure.draw_without_rendering()
    texts = [text for text in figure.axes[0].texts if text.get_text()]
    words = [text.get_text() for text in texts]
    assert f"{trained.parameter_count:,} in all" in words and "3 × 64 × 64" in words
    boxes = [(text.get_bbox_patch() or text).get_window_extent() for text in texts]
    corners = np.array([box.extents for box in boxes])
    assert (corners >= 0).all() and (corners[:, 2:] <= figure.bbox.extents[2:]).all()
    assert not [(one, two) for one in boxes for two in boxes if one is not two and one.overlaps(two)]
    shrunk = figure.dpi / (PIXELS_PER_CM[1] * 2.54)  # in the PDF, where a figure is tall
    assert min(text.get_fontsize() for text in texts) * shrunk >= 6.4  # points
