from copy import deepcopy

import pytest
import torch
from torch import nn

from cifar_pipelines.training.depthwise import learn_depthwise_in_float32


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 8, 1), nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 8, 1, groups=2)
    )


def test_the_depthwise_convolutions_that_learn_compute_in_float32_under_autocast(network):
    network[0].requires_grad_(False)
    names = list(network.state_dict())
    assert learn_depthwise_in_float32(network) == ["2"]
    made = {}
    for name, module in network.named_children():
        module.register_forward_hook(lambda _, __, output, name=name: made.update({name: output.dtype}))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        network(torch.rand(2, 4, 8, 8))
    assert made == {"0": torch.bfloat16, "1": torch.bfloat16, "2": torch.float32, "3": torch.bfloat16}
    assert list(network.state_dict()) == names


def test_without_autocast_nothing_changes_and_copies_keep_it(network):
    images, before = torch.rand(2, 4, 8, 8), deepcopy(network)
    learn_depthwise_in_float32(network)
    assert torch.equal(network(images), before(images))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert deepcopy(network)[2](torch.rand(2, 8, 4, 4)).dtype == torch.float32
