"""The promise of docs/adding_a_classifier.md: one file and one block of YAML."""

import re
import sys
from pathlib import Path

import pytest
import yaml

from cifar_pipelines import classifiers
from cifar_pipelines.common import configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.pipelines.spark_ml import create_pipeline, nodes

GUIDE = Path(__file__).parents[1] / "docs" / "adding_a_classifier.md"


@pytest.fixture
def added(tmp_path, monkeypatch):
    """Adds the classifier of the guide, word for word, in a folder of its own; returns its name and block."""
    code, block = re.search(r"```python\n(.*?)```.*?```yaml\n(.*?)```", GUIDE.read_text(), re.S).groups()
    name = re.search(r"`src/cifar_pipelines/classifiers/(\w+)\.py`", GUIDE.read_text())[1]
    (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.setattr(classifiers, "__path__", [*classifiers.__path__, str(tmp_path)])
    yield name, yaml.safe_load(block)[name]
    classifiers._registry._things.pop(name, None)
    sys.modules.pop(f"cifar_pipelines.classifiers.{name}", None)


def test_the_classifier_of_the_guide_gets_a_pipeline_of_its_own(added):
    name, block = added
    parameters = configuration.load_configuration()["parameters"]
    parameters["spark_ml"]["classifiers"][name] = block
    parameters["spark_ml"]["selected"] = name
    configuration.set_run_parameters(parameters)
    names = {node.name for node in create_pipeline().nodes}
    assert {f"spark_ml.{name}.{step}" for step in ("train", "predict", "evaluate", "write_run_record")} <= names


def test_the_classifier_of_the_guide_learns(added, spark):
    from pyspark.ml.linalg import Vectors

    name, block = added
    configured = nodes.configure_classifier(name, block, repeats=1)
    rows = [(float(i % 3), Vectors.dense(i % 3, -(i % 3), 1.0)) for i in range(60)]
    table = spark.session.createDataFrame(rows, ["label", "features"])
    task = classifiers.Task(features=3, classes=3, seed=0, cores=2)
    model = classifiers.create_estimator(name, task, configured.params | {"max_iter": 25}).fit(table)
    right = model.transform(table).where("prediction = label").count()
    assert right > 40


def test_a_classifier_without_a_block_is_refused_with_what_to_add(added):
    name, _ = added
    parameters = configuration.load_configuration()["parameters"]
    parameters["spark_ml"]["selected"] = [name]
    configuration.set_run_parameters(parameters)
    with pytest.raises(UserError, match=r"no block under spark_ml.classifiers.*justification"):
        create_pipeline()


def test_a_file_that_registers_nothing_is_refused(tmp_path, monkeypatch):
    (tmp_path / "silent.py").write_text("")
    monkeypatch.setattr(classifiers, "__path__", [str(tmp_path)])
    with pytest.raises(UserError, match=r"silent\.py must define its classifier"):
        classifiers.find("silent")
    sys.modules.pop("cifar_pipelines.classifiers.silent", None)
