"""Networks of both kinds, opened and asked for predictions without Spark: what they need of it is made up here."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from tests.factories.images import encode_image
from tests.factories.records import make_record

from cifar_pipelines.backbones import create_backbone
from cifar_pipelines.common.images import load_batch
from cifar_pipelines.datasets.trained_network import TrainedNetworkDataset
from cifar_pipelines.families import families
from cifar_pipelines.networks import NetworkShape, build_network
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.spark import session
from cifar_pipelines.training.saved_network import load_network
from cifar_pipelines.training.trained_network import TrainedNetwork
from cifar_pipelines.training.transferred_network import TransferredNetwork

CLASSES = ("cat", "dog", "frog")
FILES = [encode_image(size=(40 + number, 50)) for number in range(3)]


def cnn():
    shape = NetworkShape(16, 3)
    weights = build_network("lenet", shape).state_dict()
    return TrainedNetwork(
        "lenet", {}, shape, weights, CLASSES, {"precision": "fp32", "recipe": {"flip_at_test": False}}
    )


def transferred():
    backbone = create_backbone("torchvision:squeezenet1_1")
    weights = backbone.build(3, None).state_dict()
    spec = backbone.input_spec("none", 64, "pad")
    return TransferredNetwork(backbone.name, spec, weights, CLASSES, {"precision": "fp32", "flip_at_test": False})


class Images:
    """New images whose outputs are computed here and now."""

    session = None

    def outputs(self, function):
        table = pd.DataFrame({"image_id": list("abc"), "output": list(function(FILES))})
        return SimpleNamespace(toPandas=lambda: table)


@pytest.mark.parametrize(("family", "make"), [("bigdl_cnn", cnn), ("transfer", transferred)])
def test_a_saved_network_predicts_what_its_module_says(family, make, tmp_path, monkeypatch):
    sent = []
    broadcast = SimpleNamespace(broadcast=lambda value: sent.append(value) or SimpleNamespace(value=value))
    monkeypatch.setattr(session, "active_session", lambda: SimpleNamespace(sparkContext=broadcast))
    torch.manual_seed(0)
    file = tmp_path / "network.pt"
    TrainedNetworkDataset(filepath=str(file)).save(make())
    record = RunRecord.from_json(make_record("network", family=family, artifacts={"model": str(file)}))
    predictor = families()[family].predictor(record)
    found = predictor(Images())
    predictor(Images())
    assert len(sent) == 1  # a stream asks for every micro-batch

    loaded = load_network(file)
    with torch.inference_mode():
        logits = loaded.module(loaded.input.prepare(load_batch(FILES, loaded.input.square)))
    expected = logits.softmax(1).numpy()
    np.testing.assert_allclose(np.stack(found["probability"]), expected, atol=1e-5)
    assert list(found["prediction"]) == list(expected.argmax(axis=1)) and list(found["image_id"]) == list("abc")
