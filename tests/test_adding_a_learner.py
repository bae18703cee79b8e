"""The promise of docs/adding_a_learner.md: one file and one block of YAML."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from tests.factories.learners import MODELS, block

from cifar_pipelines import learners
from cifar_pipelines.learners import LearningTask, create_learner
from cifar_pipelines.pipelines.streaming import create_pipeline
from cifar_pipelines.pipelines.streaming.specification import stream_of

GUIDE = Path(__file__).parents[1] / "docs" / "adding_a_learner.md"


@pytest.fixture
def added(tmp_path, monkeypatch):
    """Adds the learner of the guide, word for word, in a folder of its own; returns the block of its model."""
    code, text = re.search(r"```python\n(.*?)```.*?```yaml\n(.*?)```", GUIDE.read_text(), re.S).groups()
    name = re.search(r"`src/cifar_pipelines/learners/(\w+)\.py`", GUIDE.read_text())[1]
    (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.setattr(learners, "__path__", [*learners.__path__, str(tmp_path)])
    yield yaml.safe_load(text)
    learners._registry._things.pop(name, None)
    sys.modules.pop(f"cifar_pipelines.learners.{name}", None)


def test_the_model_of_the_guide_is_selected_and_gets_a_pipeline_of_its_own(added, tmp_path):
    (model,) = added
    spec = stream_of(block(tmp_path, models=MODELS | added, selected=model)).learners()[model]
    assert spec.options == {"share": 0.02} and spec.justification
    assert f"streaming.{model}.predict" in {node.name for node in create_pipeline([model]).nodes}


def test_the_learner_of_the_guide_learns_and_goes_on_from_its_state(added):
    (spec,) = added.values()
    task, rng = LearningTask(("cat", "dog"), 4), np.random.default_rng(0)
    label = rng.integers(0, 2, 200)
    x = 3 * np.eye(2, 4)[label] + rng.normal(0, 1, (200, 4))
    learner, other = (create_learner(spec["learner"], task, spec["options"]) for _ in range(2))
    learner.learn(x[:100], label[:100])
    other.load(learner.state())
    assert np.array_equal(learner.predict(x[100:]), other.predict(x[100:]))
    assert (other.predict(x[100:]).argmax(axis=1) == label[100:]).mean() > 0.9
