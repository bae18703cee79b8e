"""The promise of docs/adding_a_backbone.md: no code for another network, and a block of YAML to train it."""

import re
import shutil
from pathlib import Path

import pytest
import torch

from cifar_pipelines.common import configuration
from cifar_pipelines.common.configuration import PROJECT_PATH
from cifar_pipelines.families import families
from cifar_pipelines.spark.environment import checked_configuration, setting_under
from cifar_pipelines.training.phases import build_phases

GUIDE = (Path(__file__).parents[1] / "docs" / "adding_a_backbone.md").read_text()


@pytest.fixture
def name(tmp_path):
    """Adds the block of the guide, word for word, to a copy of the configuration; returns its name."""
    (block,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.S)
    shutil.copytree(PROJECT_PATH / "conf", tmp_path / "conf")
    with (tmp_path / re.search(r"`(conf/base/\w+\.yml)`", GUIDE)[1]).open("a") as file:
        file.write(block)
    configuration.follow_folder(str(tmp_path / "conf"))
    yield block.split(":")[0].strip()
    configuration.follow(None)


def test_the_network_of_the_guide_passes_what_is_checked_before_spark_starts(name):
    asked = {"transfer": {"selected": f"{name}+lite0", "models": {name: {"weights": "none"}}}}
    loader = checked_configuration("exec_2x1", asked)
    parameters = loader["parameters"]
    families()["transfer"].check(parameters, setting_under("exec_2x1", loader))
    assert families()["transfer"].models(parameters) == [f"{name}_torch_distributor", "lite0_torch_distributor"]
    ours, lite0 = (parameters["transfer"]["models"][one] for one in (name, "lite0"))
    assert {key for key in ours if ours[key] != lite0[key]} == {"justification", "backbone", "weights", "phases"}
    assert build_phases(ours["phases"], name)[0].train == "last:4"


def test_the_code_of_the_guide_makes_a_network_and_what_it_expects():
    known: dict = {}
    exec(re.search(r"```python\n(.*?)```", GUIDE, re.S)[1], known)
    spec, backbone = known["spec"], known["backbone"]
    assert (spec.size, spec.policy) == (160, "crop") and known["loaded"].sha256
    images = torch.zeros((2, 3, 160, 160), dtype=torch.uint8)
    assert known["network"].eval()(spec.normalise(images)).shape == (2, 10)
    assert len(backbone.stages()) > 3 and backbone.head_names() == ("classifier.",)
