"""The promise of docs/adding_a_study.md: a folder of two files, and a block of YAML for a model that is not there yet."""

import re
import shutil
from pathlib import Path

import pytest

from cifar_pipelines.common import configuration
from cifar_pipelines.common.configuration import PROJECT_PATH, load_configuration
from cifar_pipelines.experiment.plan import Experiment
from cifar_pipelines.families import families
from cifar_pipelines.spark.environment import checked_configuration, params_of, setting_under

GUIDE = (Path(__file__).parents[1] / "docs" / "adding_a_study.md").read_text()


@pytest.fixture
def study(tmp_path):
    """Adds the study of the guide, word for word, to a copy of the configuration; returns its name."""
    images, models, block = re.findall(r"```yaml\n(.*?)```", GUIDE, re.S)
    name = re.search(r"`conf/(\w+)/globals\.yml`", GUIDE)[1]
    conf = tmp_path / "conf"
    shutil.copytree(PROJECT_PATH / "conf", conf)
    (conf / name).mkdir()
    (conf / name / "globals.yml").write_text(images)
    (conf / name / "parameters.yml").write_text(models)
    with (conf / "base" / "parameters_transfer.yml").open("a") as file:
        file.write(block)
    configuration.follow_folder(str(conf))
    yield name
    configuration.follow(None)


def test_the_study_of_the_guide_passes_what_is_checked_before_spark_starts(study):
    loader = checked_configuration(study, {})
    parameters, setting = loader["parameters"], setting_under(study, loader)
    families()["transfer"].check(parameters, setting)
    assert setting.name == "exec_2x2" and parameters["data"]["source"] == "cifar10"
    assert [name.rpartition("_torch")[0] for name in families()["transfer"].models(parameters)] == [
        "probe", "lite0_last", "lite0"
    ]  # fmt: skip
    last, whole = (parameters["transfer"]["models"][name] for name in ("lite0_last", "lite0"))
    assert {key for key in whole if whole[key] != last[key]} == {"justification", "phases"}


def test_the_study_of_the_guide_can_be_given_to_an_experiment(study):
    experiment = Experiment(("exec_1x1", "exec_2x1"), ("ingestion", "transfer"), 1, params_of(study, ""))
    assert len(experiment.expected()["transfer"]) == 3
    assert load_configuration("exec_1x1", experiment.params)["parameters"]["subset"]["train_size"] == 500


def test_what_a_study_selects_without_a_block_is_refused_with_the_place_for_it(study):
    from cifar_pipelines.common.errors import UserError

    loader = checked_configuration(study, {"transfer": {"selected": ["probe", "lite0_first"]}})
    with pytest.raises(UserError, match=r"lite0_first.*lite0_last.*a block under transfer\.models"):
        families()["transfer"].models(loader["parameters"])
