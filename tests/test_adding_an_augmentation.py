"""The promise of docs/adding_an_augmentation.md: one file and its name in YAML."""

import re
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
import yaml

from cifar_pipelines.training import augmentation
from cifar_pipelines.training.draws import Draws, image_keys

GUIDE = (Path(__file__).parents[1] / "docs" / "adding_an_augmentation.md").read_text()


@pytest.fixture
def chain(tmp_path, monkeypatch):
    """Adds the augmentation of the guide, word for word, in a folder of its own, and builds the chain of its YAML."""
    code, block = re.search(r"```python\n(.*?)```.*?```yaml\n(.*?)```", GUIDE, re.S).groups()
    name = re.search(r"`src/cifar_pipelines/training/augmentation/(\w+)\.py`", GUIDE)[1]
    (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.setattr(augmentation, "__path__", [*augmentation.__path__, str(tmp_path)])
    yield augmentation.build_augmentation(yaml.safe_load(block)["augmentation"])
    augmentation._registry._things.pop(name, None)
    sys.modules.pop(f"cifar_pipelines.training.augmentation.{name}", None)


def test_the_augmentation_of_the_guide_takes_colours_out_of_some_images(chain):
    assert list(chain.links) == ["crop", "flip", "gray"] and chain.links["gray"].probability == 0.2
    images = torch.randint(0, 256, (200, 3, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    changed = chain(images, Draws.begin(image_keys(map(str, range(200))), 0, 0))
    gray = (changed == changed[:, :1]).flatten(1).all(1)
    assert 20 < gray.sum() < 60


def test_the_table_of_the_guide_names_every_augmentation_with_its_defaults():
    rows = re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", GUIDE, re.M)
    assert sorted(name for name, _ in rows) == augmentation.names()
    for name, options in rows:
        told = {} if options == "none" else yaml.safe_load(f"{{{options.replace('`', '')}}}")
        assert told == asdict(augmentation.find(name)()), name
