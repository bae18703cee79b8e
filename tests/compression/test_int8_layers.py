"""Layers that int8 would ruin stay in float32, and are told."""

import logging
from dataclasses import replace

import pytest
import torch
from torch import nn

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.compression import int8_layers
from cifar_pipelines.compression.variants import create_variant


@pytest.fixture
def lopsided(trained):
    """The small network with a first channel that is a hundred thousand times the others, and that nothing depends on."""
    module = trained.subject.build()
    first, second = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)][:2]
    with torch.no_grad():
        first.weight[0] *= 1e5
        first.bias[0] = 1e5
        second.weight[:, 0] = 0.0
    return replace(trained.subject, build=lambda: module)


def test_layers_that_int8_ruins_stay_in_float32(lopsided, trained, tmp_path, caplog):
    variant, file = create_variant("onnx_int8"), tmp_path / "q.onnx"
    with caplog.at_level(logging.WARNING):
        made = variant.make(lopsided, trained.material, file)
    left = made.facts["float32_layers"]
    assert 0 < len(left) < 5 and made.int8_layers == 5 - len(left)
    assert f"int8 ruins {len(left)} of 5 layers ({', '.join(left)})" in caplog.text
    images = lopsided.normalise(trained.material.table.read("test")[0]).contiguous()
    expected, found = lopsided.build()(images).argmax(1), variant.load(lopsided, file, 1)(images).argmax(1)
    assert len(expected.unique()) > 1 and (expected == found).float().mean() > 0.9


def test_where_all_bear_it_nothing_is_said(trained, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        made = create_variant("onnx_int8").make(trained.subject, trained.material, tmp_path / "q.onnx")
    assert "float32_layers" not in made.facts and caplog.text == "" and made.int8_layers == 5


def test_a_network_of_which_no_layer_bears_it_is_an_error(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(int8_layers, "_agreement", lambda *_: 0.0)
    with pytest.raises(UserError, match="Nothing was quantised: int8 ruins each of its 5 layers"):
        create_variant("onnx_int8").make(trained.subject, trained.material, tmp_path / "q.onnx")
