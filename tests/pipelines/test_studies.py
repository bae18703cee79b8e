"""Studies are environments: each names images and models, and one command runs it."""

import pytest

from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.params import parse_params
from cifar_pipelines.experiment.plan import params_of
from cifar_pipelines.pipelines.streaming.specification import stream_of
from cifar_pipelines.pipelines.transfer.family import selected_transfers
from cifar_pipelines.spark.environment import setting_under
from cifar_pipelines.training.phases import build_phases

STUDIES = ["fruits360", "resnet18", "competition59", "cifar10_tuned", "imdb"]


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_selects_models_whose_phases_are_legal(study):
    loader = load_configuration(study)
    parameters = loader["parameters"]
    transfers = selected_transfers(parameters)
    assert len(transfers) >= 2 and setting_under(study, loader).executors >= 1
    for name, _ in transfers:
        assert build_phases(parameters["transfer"]["models"][name]["phases"], name)


@pytest.mark.parametrize("study", STUDIES)
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
