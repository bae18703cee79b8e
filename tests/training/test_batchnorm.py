import copy

import pytest
import torch
from torch import nn

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.training.batchnorm import POLICIES, freeze_all_but


def network():
    torch.manual_seed(0)
    stem = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5))
    body = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    net = nn.Sequential()
    for name, part in (("stem", stem), ("body", body), ("head", nn.Linear(4, 2))):
        net.add_module(name, part)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_()
                module.weight.normal_()
    return net


def state(net, kind):
    return {name: value.clone() for name, value in getattr(net, f"named_{kind}")()}


def take_steps(net, images=None, steps=3):
    """Steps on constant images; returns the names of the parameters and of the buffers that changed."""
    images = torch.full((4, 3, 9, 9), 255.0) if images is None else images
    parameters, buffers = state(net, "parameters"), state(net, "buffers")
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(steps):
        net.train()
        net(images).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        net.eval()
    return tuple(
        {name for name, value in now.items() if not torch.equal(value, before[name])}
        for now, before in ((state(net, "parameters"), parameters), (state(net, "buffers"), buffers))
    )


def test_a_frozen_network_keeps_every_buffer_bit_for_bit_however_often_it_is_set_to_training():
    net = network()
    learned = freeze_all_but(net, None, "frozen")
    changed, buffers = take_steps(net, torch.rand(4, 3, 9, 9))
    assert not buffers
    assert not {name for name in learned if ".1." in name} and changed == set(learned)
    assert not take_steps(net)[1]


def test_affine_learns_gain_and_bias_and_keeps_the_statistics():
    net = network()
    freeze_all_but(net, None, "affine")
    changed, buffers = take_steps(net, torch.rand(4, 3, 9, 9))
    assert not buffers and {"stem.1.weight", "body.1.bias"} <= changed


def test_train_learns_all():
    net = network()
    freeze_all_but(net, None, "train")
    changed, buffers = take_steps(net, torch.rand(4, 3, 9, 9))
    assert len(buffers) == 6 and "body.1.weight" in changed


@pytest.mark.parametrize("policy", ["frozen", "affine"])
def test_the_running_statistics_normalise_so_that_an_image_has_the_same_logits_alone_and_in_a_batch(policy):
    net = network()
    freeze_all_but(net, ["body", "head"], policy)
    net.train()
    images = torch.rand(5, 3, 9, 9)
    torch.testing.assert_close(net(images[:1]), net(images)[:1], rtol=0, atol=1e-6)


@pytest.mark.parametrize("policy", POLICIES)
def test_below_what_learns_all_is_frozen_whatever_the_policy(policy):
    net = network()
    learned = freeze_all_but(net, ["body", "head"], policy)
    assert all(name.startswith(("body.", "head.")) for name in learned)
    changed, buffers = take_steps(net, torch.rand(4, 3, 9, 9))
    assert not {name for name in changed | buffers if name.startswith("stem.")}
    assert bool(buffers) == (policy == "train")


def test_what_is_frozen_draws_no_dropout():
    net = network()
    freeze_all_but(net, ["head"], "train")
    net.train()
    images = torch.rand(2, 3, 9, 9)
    assert torch.equal(net.stem(images), net.stem(images))
    assert net.head.training and not net.stem[3].training


def test_names_kinds_and_copies_stay_as_they_were():
    net, names = network(), list(network().state_dict())
    freeze_all_but(net, ["head"], "frozen")
    assert list(net.state_dict()) == names and isinstance(net.body[1], nn.BatchNorm2d)
    double = copy.deepcopy(net).train()
    assert not double.body[1].training and double.head.training


def test_a_later_choice_replaces_the_one_before():
    net = network()
    freeze_all_but(net, ["head"], "frozen")
    assert freeze_all_but(net, None, "train") == [name for name, _ in net.named_parameters()]
    assert all(module.training for module in net.modules())
    assert type(net.stem[1]) is nn.BatchNorm2d


def test_evaluation_mode_is_kept():
    net = network().eval()
    freeze_all_but(net, ["head"], "train")
    assert not any(module.training for module in net.modules())


def test_an_unknown_policy_is_refused_with_the_nearest():
    with pytest.raises(UserError, match=r"Unknown policy of batch normalisation 'freeze'\. Did you mean 'frozen'"):
        freeze_all_but(network(), None, "freeze")
