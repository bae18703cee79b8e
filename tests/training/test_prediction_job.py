import uuid

import numpy as np
import pyarrow as pa
import pytest
import torch

from cifar_pipelines.common.images import encode_png as encode
from cifar_pipelines.common.tables import PREDICTIONS
from cifar_pipelines.networks import NetworkShape, build_network
from cifar_pipelines.training.prediction import (
    PREDICTION_BATCH,
    PredictionJob,
    network_of,
    predict_batches,
    time_prediction,
)
from cifar_pipelines.training.prediction_views import PredictionViews
from cifar_pipelines.training.shard import normalise
from cifar_pipelines.training.trained_network import TrainedNetwork

SHAPE = NetworkShape(16, 3)


class Broadcast:
    def __init__(self, value):
        self.value = value


def trained(seed=0):
    torch.manual_seed(seed)
    module = build_network("lenet", SHAPE)
    return TrainedNetwork("lenet", {}, SHAPE, module.state_dict(), ("cat", "dog", "frog"), {})


def make_job(load=None, precision="fp32", flip=False):
    load = load or (lambda: network_of(Broadcast(trained().as_dict())))
    return PredictionJob(uuid.uuid4().hex, load, SHAPE.size, precision, PredictionViews(flip))


def pixels(count, size=16):
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def record_batch(images, first=0):
    ids = [f"test-{first + i:05d}" for i in range(len(images))]
    labels = pa.array([i % 3 for i in range(len(images))], pa.int64())
    encoded = pa.array([encode(image) for image in images], pa.binary())
    return pa.RecordBatch.from_arrays(
        [pa.array(ids, pa.string()), labels, encoded], names=["image_id", "label", "image"]
    )


@pytest.mark.parametrize("flip", [True, False])
def test_predictions_are_those_of_the_module(flip):
    images = pixels(5)
    (found,) = predict_batches(iter([record_batch(images)]), make_job(flip=flip))
    batch = normalise(torch.from_numpy(images).permute(0, 3, 1, 2))
    with torch.inference_mode():
        module = trained().build()
        logits = (module(batch) + module(batch.flip(-1))) / 2 if flip else module(batch)
    expected = logits.softmax(1).numpy()
    probability = np.array(found.column("probability").to_pylist())
    np.testing.assert_allclose(probability, expected, atol=1e-6)
    assert found.column("prediction").to_pylist() == expected.argmax(1).tolist()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_table_has_its_columns_and_probabilities_sum_to_one(precision):
    batches = [record_batch(pixels(4)), record_batch(pixels(0)), record_batch(pixels(3, size=20), first=4)]
    found = pa.Table.from_batches(predict_batches(iter(batches), make_job(precision=precision)))
    assert found.column_names == list(PREDICTIONS.names)
    assert found.schema.types == [pa.string(), pa.int32(), pa.int32(), pa.list_(pa.float32())]
    assert found.column("image_id").to_pylist() == [f"test-{i:05d}" for i in range(7)]
    assert found.column("label").to_pylist() == [0, 1, 2, 0, 0, 1, 2]
    probability = np.array(found.column("probability").to_pylist())
    assert probability.shape == (7, 3) and (probability >= 0).all()
    np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-6)


def test_a_process_loads_the_network_once_per_job():
    loaded = []

    def load():
        loaded.append(1)
        return trained().build().train()

    first, second = make_job(load), make_job(load)
    for _ in range(2):
        assert first.network() is first.network() and not first.network().training
    assert len(loaded) == 1
    second.network()
    assert len(loaded) == 2


def test_prediction_is_timed_for_one_image_and_for_many():
    timed = time_prediction(make_job())
    assert timed.keys() == {"batch_1_ms", f"batch_{PREDICTION_BATCH}_ms", "batch", "threads"}
    assert all(value > 0 for value in timed.values()) and timed["threads"] == 1
