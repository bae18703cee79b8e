import math
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.factories.training import RECIPE, make_recipe
from torch import nn

from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import build
from cifar_pipelines.training.recipe import Recipe, create_optimizer, set_learning_rate

NAN, INF = math.nan, math.inf
NO_NUMBERS = ("1", None, True, [1])
WHOLE, POSITIVE = ("epochs", "batch_size"), ("learning_rate", "bias_learning_rate_factor")
SHARES = ("momentum", "label_smoothing", "warm_up", "final_learning_rate", "averaging")
OF_THE_WRONG_TYPE = (
    [(key, value, "int") for key in (*WHOLE, "crop_padding", "cutout", "shift_at_test") for value in (1.0, *NO_NUMBERS)]
    + [(key, value, "float") for key in (*POSITIVE, *SHARES, "weight_decay") for value in NO_NUMBERS]
    + [(key, value, "bool") for key in ("flip", "flip_at_test") for value in (0, 1, "true", None)]
    + [("precision", value, "str") for value in (None, 32, ["fp32"])]
)
REFUSED = (
    [(key, value, "a whole number of at least 1") for key in WHOLE for value in (0, -1)]
    + [(key, -1, "a whole number of at least 0") for key in ("crop_padding", "cutout", "shift_at_test")]
    + [(key, value, "a positive number") for key in POSITIVE for value in (0, 0.0, -0.1, NAN, INF)]
    + [(key, value, "a number from 0 to below 1") for key in SHARES for value in (1, 1.5, -0.1, NAN, INF)]
    + [("weight_decay", value, "a number of at least 0") for value in (-0.1, NAN, INF)]
    + [("precision", "fp16", "one of auto, bf16, fp32")]
)
shares = st.floats(0, 0.99)


@pytest.mark.parametrize(("key", "value", "rule"), REFUSED)
def test_a_value_that_breaks_its_rule_is_refused(key, value, rule):
    with pytest.raises(UserError, match=rf"recipe's {key} is .*, but must be {rule}\."):
        make_recipe(**{key: value})


@pytest.mark.parametrize(("key", "value", "kind"), OF_THE_WRONG_TYPE)
def test_a_value_of_the_wrong_type_is_refused(key, value, kind):
    with pytest.raises(UserError, match=rf"'{key}' of the recipe is .*, which is not of the type {kind}\. Give"):
        make_recipe(**{key: value})


def test_numbers_at_their_limits_are_taken():
    recipe = make_recipe(epochs=1, batch_size=1, momentum=0, warm_up=0, weight_decay=0, learning_rate=1)
    assert recipe.momentum == 0 and recipe.learning_rate == 1


def test_missing_keys_are_all_named():
    block = {key: value for key, value in RECIPE.items() if key not in ("momentum", "flip")}
    with pytest.raises(UserError, match=r"The recipe lacks momentum, flip\. Add"):
        build(Recipe, block, "the recipe")


def test_an_unknown_key_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match=r"Unknown option 'epoch'\. Did you mean 'epochs'\?"):
        build(Recipe, RECIPE | {"epoch": 3}, "the recipe")


@pytest.mark.parametrize("block", [[], "fast", 3])
def test_a_recipe_that_is_no_mapping_is_refused(block):
    with pytest.raises(UserError, match="must be names and values: epochs, batch_size, learning_rate"):
        build(Recipe, block, "the recipe")


def test_a_recipe_is_the_same_after_its_way_through_a_dictionary():
    assert build(Recipe, asdict(make_recipe(cutout=3)), "the recipe") == make_recipe(cutout=3)


def test_the_recipes_of_the_configuration_are_legal():
    for model in load_configuration()["parameters"]["bigdl_cnn"]["models"].values():
        assert build(Recipe, model["recipe"], "the recipe").epochs >= 1


@given(steps=st.integers(2, 3000), warm_up=shares, final=shares)
def test_the_learning_rate_rises_to_its_peak_and_falls_to_its_last_value(steps, warm_up, final):
    schedule = make_recipe(warm_up=warm_up, final_learning_rate=final).schedule
    rates = [schedule(step, steps) for step in range(steps)]
    peak = warm_up * steps
    rise = [rate for step, rate in enumerate(rates) if step < peak]
    fall = [rate for step, rate in enumerate(rates) if step >= peak]
    assert rise == sorted(rise) and fall == sorted(fall, reverse=True)
    assert all(0 <= rate <= 1 for rate in rates)
    assert rates[0] == pytest.approx(0.2 if peak else 1)
    assert schedule(peak, steps) == pytest.approx(1)
    one_step = max(1 / max(steps - peak, 1), 1 / max(peak, 1))  # the peak may lie between two steps
    assert max(rates) >= 1 - one_step
    assert fall == [] or fall[-1] == pytest.approx(final, abs=one_step + 1e-9)


def test_the_peak_is_reached_after_the_warm_up():
    schedule = make_recipe(warm_up=0.25, final_learning_rate=0.1).schedule
    rates = [schedule(step, 400) for step in range(400)]
    assert rates[0] == 0.2 and rates[50] == pytest.approx(0.6) and rates[100] == 1
    assert rates[250] == pytest.approx(0.55, abs=0.005) and rates[399] == pytest.approx(0.1)


def test_weights_and_biases_are_groups_with_their_own_learning_rates():
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2, bias=False))
    network[1].weight.requires_grad = False
    recipe = make_recipe(learning_rate=0.5, bias_learning_rate_factor=8.0, weight_decay=0.02)
    optimizer = create_optimizer(network, recipe)
    weights, biases = optimizer.param_groups
    assert [id(p) for p in weights["params"]] == [id(network[0].weight), id(network[2].weight)]
    assert [id(p) for p in biases["params"]] == [id(network[0].bias), id(network[1].bias)]
    assert (weights["lr"], biases["lr"]) == (0.5, 4.0)
    # Biases decay per step as weights do: what the learning rate gains, the decay gives back.
    assert weights["lr"] * weights["weight_decay"] == pytest.approx(biases["lr"] * biases["weight_decay"])
    assert weights["nesterov"] and weights["momentum"] == 0.9


def test_a_network_without_biases_has_one_group():
    optimizer = create_optimizer(nn.Linear(3, 2, bias=False), make_recipe(momentum=0.0))
    assert len(optimizer.param_groups) == 1 and not optimizer.param_groups[0]["nesterov"]


def test_the_learning_rate_is_set_relative_to_the_peak_of_each_group():
    optimizer = create_optimizer(nn.Linear(3, 2), make_recipe(learning_rate=0.5, bias_learning_rate_factor=4.0))
    set_learning_rate(optimizer, 0.1)
    assert set_learning_rate(optimizer, 0.5) == 0.25
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 1.0]


def test_an_augmentation_that_nobody_knows_is_refused():
    with pytest.raises(UserError, match=r"Unknown augmentation 'flipp'\. Did you mean 'flip'"):
        make_recipe(augmentation=["flipp"])
