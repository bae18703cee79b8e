import json
import shutil

import pytest
from click.testing import CliRunner

from cifar_pipelines.cli import cli
from cifar_pipelines.common import configuration
from cifar_pipelines.common.configuration import PROJECT_PATH, load_configuration
from cifar_pipelines.common.errors import UserError


@pytest.fixture
def other_conf(tmp_path):
    """A copy of the configuration with another seed, budget and parameter, and a setting of its own."""
    folder = tmp_path / "other"
    shutil.copytree(PROJECT_PATH / "conf", folder)
    globals_ = folder / "base" / "globals.yml"
    globals_.write_text(globals_.read_text().replace("seed: 42", "seed: 7\nnew_one: 1").replace("cores: 8", "cores: 9"))
    (folder / "exec_3x1").mkdir()
    block = {"cores_max": 3, "executor_cores": 1, "executor_memory": "1g"}
    (folder / "exec_3x1" / "globals.yml").write_text(json.dumps({"parallelism": block}))
    return folder


def test_another_configuration_folder_is_followed_throughout(kedro_run, refusal, other_conf):
    typed = kedro_run("--conf-source", "other", "--env", "exec_3x1", "--params", "new_one=2")
    assert typed.started["conf_source"] == str(other_conf) and typed.started["params"] == {"new_one": 2}
    assert configuration.run_parameters()["subset"]["seed"] == 7
    assert load_configuration()["globals"]["seed"] == 7
    assert "Unknown environment 'exec_3x1'" in refusal("--env", "exec_3x1")
    assert "Unknown parameter 'new_one'" in refusal("--params", "new_one=2")


def test_experiments_and_submissions_follow_another_configuration_folder_and_hand_it_on(monkeypatch, other_conf):
    seen = []

    def see(plan, *_):
        seen.append(load_configuration()["globals"]["seed"])
        seen.extend(step.arguments()[-2:] for step in plan.steps())
        return [], None

    monkeypatch.setattr("cifar_pipelines.experiment.run.run_experiment", see)
    monkeypatch.setattr("cifar_pipelines.submission.submit.Submission.check", lambda self: see(_Steps(self)))
    monkeypatch.setattr("cifar_pipelines.submission.submit.run_submission", _stop)
    handed_on = ["--conf-source", str(other_conf)]
    measured = ["experiment", "--settings", "exec_1x1", "--pipelines", "features", *handed_on]
    assert CliRunner().invoke(cli, measured).exit_code == 0
    CliRunner().invoke(cli, ["submit", "--master", "spark://h:7077", "--run-name", "a", *handed_on])
    assert seen == [7, handed_on, 7, handed_on]
    assert load_configuration()["globals"]["seed"] == 42
    refused = CliRunner().invoke(cli, [*measured[:-1], "nowhere"])
    assert refused.exit_code == 1 and "--conf-source is 'nowhere', but must be a folder" in refused.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["settings"], "exec_3x1"),
        (["plan"], "within 9 cores"),
        (
            ["search", "bigdl_cnn", "--vary", "train_size=1000+2000", "--env", "exec_3x1"],
            "No validation images are cut",
        ),
        (["predict", "lenet_nowhere", "{images}", "--env", "exec_3x1"], "lenet_nowhere"),
        (["stream", "serve", "--params", "new_one=2,train_size=60000"], "60,000 training images are more"),
    ],
)
def test_every_command_follows_another_configuration_folder(other_conf, tmp_path, arguments, words):
    (tmp_path / "a.png").write_bytes(b"")
    typed = [argument.format(images=tmp_path) for argument in arguments]
    assert words in CliRunner().invoke(cli, [*typed, "--conf-source", str(other_conf)]).output
    assert configuration.followed() is None
    assert words not in CliRunner().invoke(cli, typed).output


class _Steps(list):
    def __init__(self, submission):
        super().__init__([submission])

    def steps(self):
        return self


def _stop(*_):
    raise UserError("not submitted")
