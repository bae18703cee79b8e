"""Studies are environments: each names images and models, and one command runs it."""

import pytest

from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.params import parse_params
from cifar_pipelines.experiment.study_file import study_file
from cifar_pipelines.pipelines.streaming.specification import stream_of
from cifar_pipelines.pipelines.transfer.family import selected_transfers
from cifar_pipelines.spark.environment import params_of, setting_under
from cifar_pipelines.training.phases import build_phases
from cifar_pipelines.training.recipe import Recipe

COMPARING = ["fruits360", "resnet18", "competition59", "cifar10_tuned", "cifar10_study", "imdb"]  # several models
STUDIES = [*COMPARING, "cifar10_gpu"]
# The recipe that a study is compared with, and the better one for the same network.
RECIPES = {
    "fruits360": [
        (f"{network}_tuned", f"{network}_better") for network in ("resnet101", "inception_v3", "efficientnet_b1")
    ],
    "resnet18": [("resnet18", "resnet18_better")],
    "competition59": [("lite0_rotation", "lite0")],
}


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_selects_models_whose_phases_are_legal(study):
    loader = load_configuration(study)
    parameters = loader["parameters"]
    transfers = selected_transfers(parameters)
    assert len(transfers) >= 1 + (study in COMPARING) and setting_under(study, loader).executors >= 1
    for name, _ in transfers:
        assert build_phases(parameters["transfer"]["models"][name]["phases"], name)


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_is_about_real_data_and_draws_its_curve_on_validation_images(study):
    parameters = load_configuration(study)["parameters"]
    assert parameters["data"]["source"] != "synthetic" and parameters["validation"]["share"] > 0


@pytest.mark.parametrize("study", RECIPES)
def test_a_study_has_its_recipe_and_a_better_one_for_the_same_network(study):
    block = load_configuration(study)["parameters"]["transfer"]
    for recipe, better in RECIPES[study]:
        assert {recipe, better} <= set(block["selected"])
        one, other = block["models"][recipe], block["models"][better]
        assert all(one[key] == other[key] for key in ("backbone", "weights", "input"))
        assert one["phases"] != other["phases"]


def test_what_transfer_gave_resnet18_is_told_by_the_same_recipe_from_random_weights():
    block = load_configuration("resnet18")["parameters"]["transfer"]
    pretrained, random = (block["models"][name] for name in ("resnet18", "resnet18_random"))
    assert {"resnet18", "resnet18_random"} <= set(block["selected"])
    assert {key for key in pretrained if pretrained[key] != random[key]} == {"weights", "justification"}


@pytest.mark.parametrize("study", COMPARING)
def test_a_study_can_be_given_to_an_experiment(study):
    given = load_configuration("exec_1x1", parse_params(params_of(study, "")))["parameters"]
    alone = load_configuration(study)["parameters"]
    assert {name: given[name] for name in ("data", "subset", "validation")} == {
        name: alone[name] for name in ("data", "subset", "validation")
    }
    assert selected_transfers(given) == selected_transfers(alone)


@pytest.mark.parametrize("study", ["stream_classic", "stream_better"])
def test_a_study_of_streams_selects_learners_that_are_legal_alone_and_in_an_experiment(study):
    alone = load_configuration(study)["parameters"]["streaming"]
    given = load_configuration("exec_1x1", parse_params(params_of(study, "")))["parameters"]["streaming"]
    assert stream_of(given).learners() == stream_of(alone).learners() and len(stream_of(alone).learners()) >= 3
    assert stream_of(given).law == stream_of(alone).law
    # One command: it serves what it learns, under settings with more and more learners side by side.
    steps = study_file(study)
    assert stream_of(given).serve > 0 and steps.pipelines[-1] == "streaming" and len(steps.settings) > 1


@pytest.mark.parametrize("environment", ["cnn_fast", "cnn_best", "cnn_best_20000"])
def test_recipes_of_the_cnn_are_legal_and_keep_what_they_do_not_name(environment):
    standard, changed = (
        load_configuration(env)["parameters"]["bigdl_cnn"]["models"]["airbench"]["recipe"]
        for env in ("base", environment)
    )
    assert Recipe(**changed) != Recipe(**standard) and changed.keys() == standard.keys()


def test_the_whole_study_trains_the_cnn_by_the_fast_recipe():
    recipes = [
        load_configuration(env)["parameters"]["bigdl_cnn"]["models"]["airbench"]
        for env in ("cnn_fast", "cifar10_study")
    ]
    assert recipes[0] == recipes[1]
