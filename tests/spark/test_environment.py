import os
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from cifar_pipelines.cli import cli
from cifar_pipelines.common import configuration
from cifar_pipelines.common.configuration import PROJECT_PATH, load_configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.experiment.plan import suited_settings
from cifar_pipelines.scaling.environment import write_environment
from cifar_pipelines.spark import environment
from cifar_pipelines.spark.environment import (
    check_environment,
    checked_configuration,
    setting_under,
    settings_that_have_a_folder,
)
from cifar_pipelines.spark.setting import Budget


@pytest.fixture
def conf(tmp_path):
    """A copy of the configuration, which is followed."""
    folder = tmp_path / "conf"
    shutil.copytree(PROJECT_PATH / "conf", folder)
    configuration.follow(load_configuration(source=folder))
    return folder


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("exec_8x3", r"exec_8x3: spark\.cores\.max = 8 is not divisible.* nearest legal setting is exec_8x2 "),
        ("exec_9x1", r"exceeds the budget of 8 cores in all"),
        (
            "exec_6x3",
            r"Unknown environment 'exec_6x3'.* legal setting without a folder: `kedro plan --write exec_6x3` makes it",
        ),
        ("exec_8x02", r"Unknown environment 'exec_8x02'\. Did you mean 'exec_8x2'"),
        ("tests", r"Unknown environment 'tests'\. Did you mean 'test'"),
    ],
)
def test_an_environment_that_is_not_there_is_refused_with_its_rule_or_the_nearest(name, words):
    with pytest.raises(UserError, match=words):
        check_environment(name)


def test_a_project_below_a_folder_with_braces_is_refused(monkeypatch):
    monkeypatch.setattr(environment, "PROJECT_PATH", Path("/home/me/{work}/project"))
    with pytest.raises(UserError, match=r"lies in /home/me/\{work\}/project, but Kedro's catalog takes \{ and \}"):
        check_environment("exec_2x1")


def test_what_a_kill_leaves_of_a_new_environment_is_none(conf, monkeypatch):
    monkeypatch.setattr(Path, "replace", lambda *_: os._exit(1))
    writer = os.fork()
    if not writer:
        try:
            write_environment("exec_6x3", Budget(), None, conf)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(writer, 0)[1]) == 1
    assert [path.suffix for path in conf.glob("exec_6x3*")] == [".partial"]
    for name in ("exec_6x3", next(conf.glob("exec_6x3*")).name):
        with pytest.raises(UserError, match=rf"Unknown environment '{name}'"):
            check_environment(name)


def test_a_folder_that_is_called_like_another_setting_cannot_be_used_and_is_marked(conf):
    shutil.copytree(conf / "exec_2x2", conf / "exec_6x3")
    with pytest.raises(UserError, match="The environment exec_6x3 holds the setting exec_2x2"):
        setting_under("exec_6x3", load_configuration("exec_6x3"))
    listed = dict(settings_that_have_a_folder())
    assert "holds the setting exec_2x2" in listed["exec_6x3"].message and listed["exec_2x2"].name == "exec_2x2"
    shown = " ".join(CliRunner().invoke(cli, ["settings"], env={"COLUMNS": "300"}).output.split())
    assert "cannot be used: The environment exec_6x3 holds the setting exec_2x2" in shown


def test_what_else_lies_in_the_configuration_folder_is_no_setting(conf):
    before = settings_that_have_a_folder()
    shutil.copytree(conf / "exec_2x1", conf / "exec_2x1_old2")
    (conf / "exec_notes.txt").write_text("Remember.")
    (conf / "exec_4x3").write_text("A file.")
    assert settings_that_have_a_folder() == before


def test_a_configuration_is_checked_while_it_is_loaded():
    loader = checked_configuration("exec_2x1", {"train_size": 7})
    assert loader["parameters"]["subset"]["train_size"] == 7
    for env, params, message in (("exec_2x9", {}, "divisible"), (None, {"x": 1}, "Unknown parameter")):
        with pytest.raises(UserError, match=message):
            checked_configuration(env, params)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("globals.yml", "train_size: [1"),
        ("globals.yml", "a: 1\na: 2\n"),
        ("parameters.yml", "spark_ml: {selected: '${nothing}'}"),
        ("spark.yml", "a: b: c"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_sentence(conf, file, text):
    (conf / "local" / file).write_text(text)
    with pytest.raises(UserError, match=r"cannot be read: .*Correct that file"):
        checked_configuration(None, {})


def test_a_second_name_of_a_value_is_refused_in_an_environment_as_well(conf):
    (conf / "local" / "parameters.yml").write_text("subset: {train_size: 5}")
    with pytest.raises(
        UserError, match=r"subset\.train_size a value of its own.* Set train_size in conf/local/globals"
    ):
        checked_configuration(None, {})


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (
            "parameters.yml",
            "train_size: 7",
            r"train_size stands in .*/parameters\*\.yml.* Move it into .*/globals\.yml",
        ),
        ("parameters_mine.yml", "parallelism: {cores_max: 2}", r"parallelism stands in .* a name of globals"),
        ("globals.yml", "transfer: {selected: [lite1]}", r"transfer stands in .* Move it into .*/parameters\.yml"),
        ("globals.yml", "trian_size: 7", r"Unknown parameter 'trian_size'\. Did you mean 'train_size'"),
        ("globals.yml", "validation: {shares: 0.1}", r"Did you mean 'validation\.share'"),
        ("parameters.yml", "tranfer: {}", r"Unknown parameter 'tranfer'\. Did you mean 'transfer'"),
        ("parameters.yml", "spark_ml: {selcted: []}", r"Did you mean 'spark_ml\.selected'.* It stands in conf/local"),
    ],
)
def test_a_name_that_nothing_reads_is_refused_in_an_environment(conf, file, text, message):
    (conf / "local" / file).write_text(text)
    with pytest.raises(UserError, match=message):
        checked_configuration(None, {})


def test_an_environment_may_have_models_and_options_of_its_own(conf):
    (conf / "local" / "parameters.yml").write_text(
        "transfer: {models: {mine: {backbone: x}}}\nfeatures: {options: {pixels: {}}}\nreport: {reasons: {mine: Because.}}\n"
    )
    parameters = checked_configuration(None, {})["parameters"]
    assert parameters["transfer"]["models"]["mine"] == {"backbone": "x"}


def test_two_memories_for_the_same_cores_are_two_settings(conf):
    write_environment("exec_2x1_3g", Budget(), None, conf)
    one, other = (setting_under(name, load_configuration(name)) for name in ("exec_2x1", "exec_2x1_3g"))
    assert (one.name, one.executor_memory) == ("exec_2x1", "1g")
    assert (other.name, other.executor_memory, other.executors) == ("exec_2x1_3g", "3g", 2)
    assert [name for name, _ in settings_that_have_a_folder()][:4] == [
        "exec_1x1",
        "exec_2x1",
        "exec_2x1_3g",
        "exec_2x2",
    ]
    places = load_configuration("exec_2x1_3g")["catalog"], load_configuration("exec_2x1")["catalog"]
    folders = [catalog["{family}.{model}.metrics"]["filepath"] for catalog in places]
    assert "/exec_2x1_3g/" in folders[0] and "/exec_2x1/" in folders[1]
    assert not any(name.endswith("_3g") for name in suited_settings())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("exec_2x1_9g", "9g for each executor is not what the budget leaves, which is 5g"),
        ("exec_8x3_1g", "spark.cores.max = 8 is not divisible"),
        ("exec_2x1_1m", "below Spark's minimum"),
        ("exec_2x1_1024m", "Write exec_2x1_1g, or less"),
    ],
)
def test_a_setting_with_a_memory_that_is_not_legal_is_refused(conf, name, words):
    with pytest.raises(UserError, match=re.escape(words)):
        write_environment(name, Budget(), None, conf)
    assert not (conf / name).exists()


def test_another_memory_under_a_name_without_it_says_how_both_can_be(conf):
    shutil.copytree(conf / "exec_2x1", conf / "exec_2x1_2g")
    with pytest.raises(UserError, match="kedro plan --write exec_2x1_1g"):
        setting_under("exec_2x1_2g", load_configuration("exec_2x1_2g"))
