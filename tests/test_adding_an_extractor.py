"""The promise of docs/adding_an_extractor.md: one file."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from cifar_pipelines import extractors
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.params import parse_params
from cifar_pipelines.extractors import create_extractor, options_of

GUIDE = (Path(__file__).parents[1] / "docs" / "adding_an_extractor.md").read_text()
IMAGES = torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def name(tmp_path, monkeypatch):
    """Adds the extractor of the guide, word for word, in a folder of its own; returns its name."""
    name = re.search(r"`src/cifar_pipelines/extractors/(\w+)\.py`", GUIDE)[1]
    (tmp_path / f"{name}.py").write_text(re.search(r"```python\n(.*?)```", GUIDE, re.S)[1])
    monkeypatch.setattr(extractors, "__path__", [*extractors.__path__, str(tmp_path)])
    yield name
    extractors._registry._things.pop(name, None)
    sys.modules.pop(f"cifar_pipelines.extractors.{name}", None)


def test_the_extractor_of_the_guide_is_created_by_the_command_of_the_guide(name):
    params = parse_params(re.search(rf"--params (extractor={name}\S+)", GUIDE)[1])
    extractor = create_extractor(params["extractor"], options=options_of(name, params["features"]["options"]))
    extractor.check()
    features = extractor.build(extractor.prepare([], 0), "fp32")(IMAGES)
    assert features.shape == (5, 3 * 8**2) and features.dtype == np.float32
    assert np.allclose(features.reshape(5, 3, 8, 8)[0, 1, 0, 0], IMAGES[0, 1, :4, :4].float().mean() / 255)
    assert extractor.describe() == {"extractor": name, "weights": "none; mean colours of 8x8 cells", "input_size": 32}


@pytest.mark.parametrize("options", [{"cells": 0}, {"cell": 4}])
def test_wrong_options_of_the_guide_s_extractor_are_refused(name, options):
    with pytest.raises(UserError, match="cells"):
        create_extractor(name, options=options)
