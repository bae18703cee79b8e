"""Structured pruning: which channels go, what stays whole, and what cannot be done."""

from types import SimpleNamespace

import pytest
import torch
from tests.factories.deployment import SIZE, small
from torch import nn

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.compression.fine_tuning import _logits
from cifar_pipelines.compression.variants import create_variant
from cifar_pipelines.compression.variants.structured_pruning import _pruned
from cifar_pipelines.training.shard import normalise


def test_a_share_that_spares_all_channels_is_an_error(trained, tmp_path):
    variant = create_variant("structured_pruning", {"channels": 0.01})
    with pytest.raises(UserError, match="Nothing was pruned: no layer has 8 channels to spare"):
        variant.make(small(), trained.material, tmp_path / "p.onnx")


def material_of(count):
    """Noise of so many classes, in the place of a table of images."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (64, 3, SIZE, SIZE), dtype=torch.uint8, generator=generator)
    table = SimpleNamespace(read=lambda split, first: (images[:first], torch.arange(first) % count))
    return SimpleNamespace(table=table, calibration_images=64)


def test_a_head_that_is_a_convolution_keeps_its_logits():
    """As that of SqueezeNet, which pools what it makes."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 32, 3), nn.ReLU(), nn.Conv2d(32, 32, 3), nn.ReLU(), nn.Conv2d(32, 32, 1), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )  # fmt: skip
    example = lambda count: torch.zeros(count, 3, SIZE, SIZE)  # noqa: E731
    subject = SimpleNamespace(class_names=range(32), example=example, normalise=normalise)
    pruned = _pruned(network, subject, material_of(32), 0.5)
    assert [pruned[layer].out_channels for layer in (0, 2, 4)] == [16, 16, 32]
    assert pruned(subject.example(2)).shape == (2, 32)


def test_channels_that_the_loss_does_not_depend_on_go_first_however_large_their_weights():
    subject = small()
    network = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 3))
    idle = torch.arange(16) % 2 == 0
    with torch.no_grad():
        network[0].weight[idle] *= 100
        network[4].weight[:, idle] = 0.0
        network[4].weight[:, ~idle] = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    kept, before = network[0].weight[~idle].clone(), network(subject.example(2))
    assert torch.equal(_pruned(network, subject, material_of(3), 0.5)[0].weight, kept)
    assert torch.allclose(network(subject.example(2)), before, atol=1e-5)
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (lambda images: (images, images), "has an auxiliary head, with which it cannot be trained"),
        (lambda images: images @ images[..., :3, :2], r"cannot be trained any further \("),
    ],
)
def test_a_network_that_cannot_be_trained_further_is_reported(module, said):
    with pytest.raises(UserError, match=said):
        _logits(module, torch.zeros(2, 3, SIZE, SIZE))


def test_too_few_images_for_a_step_are_refused(trained, tmp_path):
    variant = create_variant("structured_pruning", {"batch_size": 97})
    with pytest.raises(UserError, match="A step takes 97 images, and there are 96 training images"):
        variant.make(trained.subject, trained.material, tmp_path / "p.onnx")
