import subprocess
import sys

import pytest
import torch
from torch import nn

from cifar_pipelines import networks
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.own_code import CodeError
from cifar_pipelines.networks import NetworkShape, build_network, checked_network


def build(name, size, classes=10, seed=0, **options):
    torch.manual_seed(seed)
    return build_network(name, NetworkShape(size, classes), options)


def images(size, count=2, seed=0):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def smooth_images(size=16, count=64):
    """Images whose neighbouring pixels and channels are correlated, as in photographs."""
    noise = images(size + 2, count)
    blurred = torch.nn.functional.avg_pool2d(noise, 3, stride=1)
    return 2 * blurred + 0.5 * blurred.mean(1, keepdim=True) + 0.2 * images(size, count, seed=1)


def responses(network, batch):
    """What the whitening layer answers to every patch, the half of the filters that is not mirrored in sign."""
    answers = network.whiten(batch).permute(0, 2, 3, 1).reshape(-1, network.whiten.out_channels)
    return answers[:, : network.whiten.out_channels // 2].double()


def test_every_file_is_a_network():
    assert {"airbench", "lenet"} <= set(networks.names())
    assert [networks.find(name).build.__name__ for name in networks.names()] == networks.names()


def test_networks_are_listed_without_torch():
    code = (
        "import sys, cifar_pipelines.networks as n; n.names(); n.require_known('lenet')\n"
        "import cifar_pipelines.training.checkpoint, cifar_pipelines.training.job\n"
        "import cifar_pipelines.training.prediction, cifar_pipelines.training.recipe\n"
        "import cifar_pipelines.training.trained_network, cifar_pipelines.datasets.trained_network\n"
        "assert not {'torch', 'pyspark', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", networks.names())
@pytest.mark.parametrize("size", ["smallest", "odd", 32, "largest"])
def test_logits_have_one_column_per_class(name, size):
    known = networks.find(name)
    pixels = {"smallest": known.smallest, "odd": known.smallest + 8, "largest": known.largest}.get(size, size)
    for classes in (2, 7):
        with torch.inference_mode():
            logits = build(name, pixels, classes).eval()(images(pixels))
        assert logits.shape == (2, classes)
        assert logits.isfinite().all()


@pytest.mark.parametrize("name", networks.names())
def test_gradients_reach_every_parameter_that_learns(name):
    network = build(name, 32).train()
    network(images(32, count=4)).square().sum().backward()
    for parameter_name, parameter in network.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None and parameter.grad.any(), parameter_name
        else:
            assert parameter.grad is None, parameter_name


@pytest.mark.parametrize("name", networks.names())
def test_weights_depend_on_the_seed_alone(name):
    first, again, other = (build(name, 16, seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("name", networks.names())
def test_an_image_is_judged_alike_alone_and_in_company(name):
    network, batch = build(name, 16).eval(), images(16, count=3)
    with torch.inference_mode():
        torch.testing.assert_close(network(batch)[1:2], network(batch[1:2]))


@pytest.mark.parametrize("name", networks.names())
def test_sizes_outside_the_limits_are_refused(name):
    known = networks.find(name)
    rule = f"network '{name}' takes images of {known.smallest} to {known.largest} pixels"
    for size in (known.smallest - 1, known.largest + 1):
        with pytest.raises(UserError, match=rf"{rule}, not {size}\. Set bigdl_cnn\.image_size"):
            build(name, size)


@pytest.mark.parametrize("name", networks.names())
def test_an_unknown_option_is_refused(name):
    with pytest.raises(UserError, match=rf"Unknown option 'dropout'.*options of the network '{name}'"):
        build(name, 32, dropout=3)


@pytest.mark.parametrize("value", ["64", 2.0, True, None])
def test_an_option_of_the_wrong_type_is_refused(value):
    with pytest.raises(UserError, match=r"'width' of the network 'airbench' is .*type int.*such as 64"):
        build("airbench", 32, width=value)


def test_options_that_are_no_mapping_are_refused():
    with pytest.raises(UserError, match="must be names and values"):
        checked_network("lenet", NetworkShape(32, 2), ["width"])
    assert checked_network("lenet", NetworkShape(32, 2), None) == {}


def test_an_unknown_network_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match=r"Unknown network 'lenett'\. Did you mean 'lenet'\?.*one file in networks/"):
        build("lenett", 32)


def test_a_file_that_registers_nothing_is_refused(monkeypatch):
    monkeypatch.setattr(networks._registry, "_things", {})
    with pytest.raises(UserError, match=r"networks/lenet\.py must define its network .*@register"):
        networks.find("lenet")


@pytest.mark.parametrize("name", networks.names())
def test_width_makes_a_network_larger(name):
    def size(width):
        return sum(parameter.numel() for parameter in build(name, 32, width=width).parameters())

    assert size(2) < size(4) < size(8)


def test_growth_widens_the_later_groups():
    network = build("airbench", 32, width=4, growth=3)
    assert [group.conv1.out_channels for group in network.groups] == [4, 12, 12]


def test_depth_adds_a_convolution_to_every_group_and_a_shortcut_past_two():
    shallow, deep = build("airbench", 32, width=4), build("airbench", 32, width=4, depth=3)
    assert set(deep.state_dict()) - set(shallow.state_dict()) >= {f"groups.{n}.conv3.weight" for n in range(3)}
    group, images = deep.groups[0].eval(), torch.randn(2, 24, 8, 8)
    with torch.no_grad():
        pooled = group.activation(group.norm1(group.pool(group.conv1(images))))
        group.conv3.weight.zero_()  # only the shortcut is left
        torch.testing.assert_close(group(images), group.activation(pooled))
    with pytest.raises(UserError, match="'depth' of the network 'airbench' is 4, but must be a number from 2 to 3"):
        build("airbench", 32, depth=4)


def test_airbench_whitens_the_patches_it_was_shown():
    network, batch = build("airbench", 16, width=2), smooth_images()
    network.initialise(batch)
    answers = responses(network, batch)
    covariance = answers.T @ answers / len(answers)
    torch.testing.assert_close(covariance, torch.eye(12, dtype=torch.float64), atol=0.05, rtol=0)


def test_airbench_did_not_whiten_before():
    network, batch = build("airbench", 16, width=2), smooth_images()
    answers = responses(network, batch)
    assert (answers.T @ answers / len(answers) - torch.eye(12)).abs().max() > 0.5


def test_airbench_has_every_whitening_filter_with_both_signs():
    network = build("airbench", 16, width=2)
    network.initialise(smooth_images())
    half = network.whiten.out_channels // 2
    assert torch.equal(network.whiten.weight[:half], -network.whiten.weight[half:])
    assert not network.whiten.weight.requires_grad and network.whiten.bias.requires_grad


def test_airbench_keeps_finite_weights_when_all_images_are_flat():
    network = build("airbench", 16, width=2)
    network.initialise(torch.ones(4, 3, 16, 16))
    assert network.whiten.weight.isfinite().all()


def test_a_convolution_of_airbench_begins_by_passing_its_input_on():
    conv = build("airbench", 16, width=32).groups[0].conv1
    batch = torch.randn(1, conv.in_channels, 6, 6)
    torch.testing.assert_close(conv(batch)[:, : conv.in_channels], batch)


class Wrong(nn.Module):
    """A network with a mistake of somebody who has never tried it."""

    def __init__(self, output):
        super().__init__()
        self.output = output

    def forward(self, images):
        return self.output(images)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (
            lambda images: nn.Linear(10, 2)(images.flatten(1)),
            r"cannot take images of 8 pixels\. RuntimeError: .*shapes",
        ),
        (lambda images: images.flatten(1), r"numbers of the shape \(2, 192\) for 2 images and 3 classes"),
        (lambda images: {}["logits"], r"KeyError: 'logits'"),
        (lambda images: None, r"AttributeError"),
    ],
)
def test_a_mistake_in_a_network_is_found_before_anything_starts(monkeypatch, output, words):
    wrong = networks.RegisteredNetwork(lambda shape: Wrong(output), 1, 64)
    monkeypatch.setattr(networks, "find", lambda name: wrong)
    before = torch.random.get_rng_state()
    with pytest.raises(CodeError, match=words):
        networks.try_network("wrong", networks.NetworkShape(8, 3))
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("name", networks.names())
def test_the_project_s_own_networks_pass(name):
    networks.try_network(name, networks.NetworkShape(32, 2))
