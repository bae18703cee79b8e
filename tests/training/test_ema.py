import pytest
import torch
from torch import nn

from cifar_pipelines.training.batchnorm import freeze_all_but
from cifar_pipelines.training.ema import WeightAverage


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


@pytest.mark.parametrize("decay", [0.9999, 0.9])
def test_the_average_of_a_short_training_is_not_the_first_network(decay):
    net, average = network(), WeightAverage(decay)
    first = {name: value.clone() for name, value in net.state_dict().items()}
    for step in range(1, 21):
        with torch.no_grad():
            for value in net.parameters():
                value += 1
        average.update(net, step)
    moved = [(average.weights[name] - first[name]).mean().item() for name, _ in net.named_parameters()]
    assert all(10 < one <= 20 for one in moved), moved


def test_the_average_takes_in_running_statistics_and_copies_counters():
    net, average = network(), WeightAverage(0.5)
    for step in (1, 2):
        with torch.no_grad():
            net[1].running_mean.fill_(step)
            net[1].num_batches_tracked.fill_(step)
        average.update(net, step)
    assert 1 < average.weights["1.running_mean"][0] < 2
    assert average.weights["1.num_batches_tracked"] == 2


def test_what_is_frozen_is_the_same_in_the_average_bit_for_bit():
    net, average = network(), WeightAverage(0.99)
    freeze_all_but(net, ["2"], "frozen")
    before = {name: value.clone() for name, value in net.state_dict().items()}
    for step in range(1, 8):
        net.train()(torch.rand(4, 3)).square().sum().backward()
        torch.optim.SGD(net.parameters(), lr=0.1).step()
        average.update(net, step)
    assert all(torch.equal(value, before[name]) for name, value in average.weights.items() if not name.startswith("2"))
    assert not torch.equal(average.weights["2.weight"], before["2.weight"])
