import math

import pytest
import torch
from torch import nn

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.training.optimisers import OPTIMISERS, Optimiser, clip_gradients, load_optimizer
from cifar_pipelines.training.recipe import set_learning_rate
from cifar_pipelines.training.stages import belongs, stage_of

STAGES = [("stem", ["stem."]), ("body", ["blocks"]), ("head", ["head", "norm"])]


def network():
    torch.manual_seed(0)
    parts = {
        "stem": nn.Linear(4, 4),
        "blocks": nn.Sequential(nn.Linear(4, 4)),
        "norm": nn.LayerNorm(4),
        "head": nn.Linear(4, 2),
    }
    return nn.ModuleDict(parts)


def step(net, optimizer):
    x = torch.ones(3, 4)
    loss = net["head"](net["norm"](net["blocks"](net["stem"](x)))).square().sum()
    loss.backward()
    optimizer.step()


def groups(optimizer):
    return {group["name"]: group for group in optimizer.param_groups}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_parameter_is_in_one_group_and_is_stepped(name):
    net = network()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    optimizer = Optimiser(name, learning_rate=0.1).create(net, STAGES)
    named = [key for group in optimizer.param_groups for key in group["param_names"]]
    assert sorted(named) == sorted(before)
    step(net, optimizer)
    assert all(not torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_parameters_of_equal_values_are_all_stepped():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    for layer in net:
        nn.init.constant_(layer.weight, 0.5)
        nn.init.zeros_(layer.bias)
    optimizer = Optimiser("sgd", 0.1).create(net, [("first", ["0"]), ("second", ["1"])])
    net(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    assert net[0].bias.abs().min() > 0 and net[1].bias.abs().min() > 0


def test_every_stage_before_the_head_learns_slower():
    found = groups(Optimiser("adamw", 0.8, layer_decay=0.5).create(network(), STAGES))
    assert [found[name]["lr"] for name in ("stem", "body", "head")] == [0.2, 0.4, 0.8]
    assert found["stem, no decay"]["lr"] == 0.2


def test_the_schedule_scales_every_group_alike():
    optimizer = Optimiser("adamw", 0.8, layer_decay=0.5).create(network(), STAGES)
    assert set_learning_rate(optimizer, 0.25) == 0.2  # the head's, which a learning curve shows
    assert sorted({group["lr"] for group in optimizer.param_groups}) == [0.05, 0.1, 0.2]


@pytest.mark.parametrize("also", [True, False])
def test_biases_and_norms_decay_only_if_asked(also):
    optimizer = Optimiser("sgd", weight_decay=0.1, decay_biases_and_norms=also).create(network())
    decays = {name: group["weight_decay"] for group in optimizer.param_groups for name in group["param_names"]}
    assert decays["head.weight"] == 0.1
    assert decays["head.bias"] == decays["norm.weight"] == (0.1 if also else 0.0)


def test_what_is_frozen_is_in_no_group():
    net = network()
    net["stem"].requires_grad_(False)
    assert "stem" not in groups(Optimiser().create(net, STAGES))
    with pytest.raises(ValueError, match="nothing to optimise"):
        Optimiser().create(net.requires_grad_(False))


def test_a_parameter_of_no_stage_is_named():
    with pytest.raises(
        ValueError, match=r"No stage holds the parameter 'blocks\.0\.weight'; the stages are stem, head"
    ):
        Optimiser().create(network(), [STAGES[0], STAGES[2]])


def test_a_prefix_ends_where_a_name_ends():
    assert (
        belongs("layer1.0.bias", ["layer1"]) and belongs("layer1.0.bias", ["layer1."]) and belongs("token", ["token"])
    )
    assert not belongs("layer10.bias", ["layer1"]) and not belongs("layer1.bias", ["layer1.0"])
    assert stage_of("a.b.c", [("deep", ["a.b"]), ("wide", ["a"])]) == 0


@pytest.mark.parametrize("limit", [0.0, 0.5])
def test_the_gradient_of_all_groups_is_clipped_together(limit):
    net = network()
    optimizer = Optimiser("sgd", clip=limit).create(net, STAGES)
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    clip_gradients(optimizer, limit)
    norm = torch.cat([parameter.grad.flatten() for parameter in net.parameters()]).norm()
    full = math.sqrt(sum(parameter.numel() for parameter in net.parameters()))
    assert norm == pytest.approx(limit or full, rel=1e-4)


def test_a_state_is_loaded_into_the_same_groups_only():
    net = network()
    optimizer = Optimiser("adam").create(net, STAGES)
    step(net, optimizer)
    other = Optimiser("adam").create(net, STAGES)
    load_optimizer(other, optimizer.state_dict())
    assert other.state_dict()["state"][0]["step"] == 1
    net["stem"].requires_grad_(False)
    with pytest.raises(UserError, match=r"2 parameters .* 'stem\.bias' \(checkpoint: stem, no decay; now: frozen\)"):
        load_optimizer(Optimiser("adam").create(net, STAGES), optimizer.state_dict())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "adamww"}, r"Unknown optimiser 'adamww'\. Did you mean 'adamw'"),
        ({"learning_rate": 0.0}, r"learning_rate is 0\.0, but must be a number above 0\."),
        ({"learning_rate": math.inf}, "learning_rate is inf"),
        ({"weight_decay": -1.0}, r"weight_decay is -1\.0, but must be a number of at least 0\."),
        ({"name": "sgd", "momentum": 1.0}, r"momentum is 1\.0, but must be a number from 0 to below 1\."),
        ({"name": "adam", "momentum": 0.5}, "adam has none to choose"),
        ({"layer_decay": 0.0}, r"layer_decay is 0\.0, but must be a number above 0 to 1\."),
        ({"layer_decay": 1.1}, "layer_decay is 1.1"),
        ({"clip": math.nan}, "clip is nan"),
    ],
)
def test_an_optimiser_that_makes_no_sense_is_refused(values, message):
    with pytest.raises(UserError, match=message):
        Optimiser(**values)
