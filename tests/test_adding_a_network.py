"""The promise of docs/adding_a_network.md: one file and one block of YAML."""

import re
import sys
from pathlib import Path

import pytest
import torch
import yaml

from cifar_pipelines import networks
from cifar_pipelines.common import configuration
from cifar_pipelines.pipelines.bigdl_cnn import create_pipeline
from cifar_pipelines.pipelines.bigdl_cnn.specification import specify_cnn

GUIDE = Path(__file__).parents[1] / "docs" / "adding_a_network.md"


@pytest.fixture
def added(tmp_path, monkeypatch):
    """Adds the network of the guide, word for word, in a folder of its own; returns its name and the parameters."""
    code, block = re.search(r"```python\n(.*?)```.*?```yaml\n(.*?)```", GUIDE.read_text(), re.S).groups()
    name = re.search(r"`src/cifar_pipelines/networks/(\w+)\.py`", GUIDE.read_text())[1]
    (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.setattr(networks, "__path__", [*networks.__path__, str(tmp_path)])
    parameters = configuration.load_configuration()["parameters"]
    recipe = yaml.safe_dump(parameters["bigdl_cnn"]["models"]["airbench"]["recipe"], default_flow_style=True)
    anchored = f"recipe: &recipe {' '.join(recipe.split())}\n{block}"
    parameters["bigdl_cnn"]["models"][name] = yaml.safe_load(re.sub(r"^    ", "", anchored, flags=re.M))[name]
    parameters["bigdl_cnn"]["networks"] = [name]
    configuration.set_run_parameters(parameters)
    yield name, parameters
    networks._registry._things.pop(name, None)
    sys.modules.pop(f"cifar_pipelines.networks.{name}", None)


def test_the_network_of_the_guide_gets_a_pipeline_by_both_engines(added):
    name, parameters = added
    nodes = {node.name for node in create_pipeline().nodes}
    assert {f"bigdl_cnn.{name}_bigdl.train", f"bigdl_cnn.{name}_torch_distributor.train"} <= nodes
    assert specify_cnn(name, "bigdl", parameters["bigdl_cnn"]).options == {"hidden": 256}


def test_the_network_of_the_guide_maps_images_to_logits(added):
    name, _ = added
    network = networks.build_network(name, networks.NetworkShape(8, 4), {"hidden": 5})
    assert network(torch.zeros(2, 3, 8, 8)).shape == (2, 4)
