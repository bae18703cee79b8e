from dataclasses import replace

import pytest
from tests.factories.experiment import EXPERIMENT, PIPELINES

from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.params import parse_params
from cifar_pipelines.experiment.plan import Experiment
from cifar_pipelines.spark import environment
from cifar_pipelines.spark.environment import params_of


def test_the_parameters_of_an_environment_come_before_those_that_are_given():
    given = "train_size=600,bigdl_cnn.models.airbench.recipe.epochs=1"
    text = params_of("test", given)
    assert (
        all(part in text.split(",") for part in given.split(","))
        and text.count("train_size=") == 1
        and "parallelism" not in text
    )
    assert "bigdl_cnn.engines=bigdl," in text
    under = load_configuration("test")["parameters"]
    under["subset"]["train_size"] = 600
    under["bigdl_cnn"] |= {"engines": "bigdl"}
    under["bigdl_cnn"]["models"]["airbench"]["recipe"]["epochs"] = 1
    given_anew = load_configuration("exec_2x1", parse_params(text))["parameters"]
    assert given_anew == under | {"train_size": 600}
    assert params_of("exec_2x1", given) == given
    replace(EXPERIMENT, params_text=text).check()


@pytest.fixture
def conf(tmp_path, monkeypatch):
    """Returns a function that makes an environment of a globals.yml."""
    monkeypatch.setattr(environment, "conf_source", lambda: tmp_path)
    monkeypatch.setattr(environment, "check_environment", lambda environment: None)

    def make(text):
        (tmp_path / "one").mkdir()
        if text is not None:
            (tmp_path / "one" / "globals.yml").write_text(text)
        return "one"

    return make


def test_steps_name_the_environment_that_parameters_came_from_which_changes_none_of_them():
    text = params_of("test", "seed=7")
    study = Experiment(("exec_1x1",), PIPELINES, 1, text, params_of="test")
    assert all(step.arguments()[-2:] == ["--params-of", "test"] for step in study.steps())
    assert parse_params(params_of("test", text)) == parse_params(text)


def test_an_environment_without_parameters_gives_none(conf):
    assert params_of(conf(None), "seed=1") == "seed=1"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("source: [", "The configuration in .* cannot be read"),
        ("report: {author: 'Lovelace, Ada'}", "report.author of the environment one holds a text with a comma"),
        ("a: {phases: [{train: all}]}", "a.phases of the environment one holds a block within a list"),
    ],
)
def test_what_an_environment_cannot_hand_on_is_named(text, words, conf):
    with pytest.raises(UserError, match=words):
        params_of(conf(text), "")


def test_the_parameters_of_an_unknown_environment_are_refused():
    with pytest.raises(UserError, match="Unknown environment 'tests'"):
        params_of("tests", "")
