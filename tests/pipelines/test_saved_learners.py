"""Learners that were saved after a stream, and what they predict of new images."""

import numpy as np
import pyarrow as pa
import pytest
from tests.factories.records import make_record

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.tables import lists_of
from cifar_pipelines.datasets import LearnedModelDataset
from cifar_pipelines.incremental.learned import LearnedModel
from cifar_pipelines.learners import LearningTask, create_learner
from cifar_pipelines.pipelines.streaming.family import FAMILY
from cifar_pipelines.pipelines.streaming.saved import predict_batches
from cifar_pipelines.records.run_record import RunRecord


def test_a_learned_model_is_the_same_after_a_round_trip(tmp_path):
    learner = create_learner("ridge", LearningTask(("cat", "dog"), 3, 5), {"penalty": 0.5})
    learner.learn(np.eye(3), np.array([0, 1, 0]))
    model = LearnedModel("ridge", {"penalty": 0.5}, learner.task, {"extractor": "e"}, learner.state())
    dataset = LearnedModelDataset(filepath=str(tmp_path / "model.npz"))
    dataset.save(model)
    saved = dataset.load()
    assert (saved.model.task, saved.model.options, saved.model.features) == (model.task, model.options, model.features)
    assert np.array_equal(saved.model.build().predict(np.eye(3)), learner.predict(np.eye(3)))
    assert saved.size_bytes == (tmp_path / "model.npz").stat().st_size


def test_a_saved_learner_predicts_features_of_new_images():
    learner = create_learner("ridge", LearningTask(("cat", "dog"), 3, 5))
    learner.learn(np.eye(3), np.array([0, 1, 0]))
    model = LearnedModel("ridge", {}, learner.task, {}, learner.state())
    x = np.random.default_rng(0).random((5, 3), np.float32)
    rows = pa.RecordBatch.from_arrays([pa.array("abcde"), lists_of(x)], ["image_id", "output"])
    table = pa.Table.from_batches(
        predict_batches([rows.slice(0, 2), rows.slice(2, 0), rows.slice(2)], model)
    ).to_pandas()
    assert "".join(table["image_id"]) == "abcde"
    assert np.allclose(np.stack(table["probability"]), learner.predict(x))
    assert (np.stack(table["probability"]).argmax(axis=1) == table["prediction"]).all()


def test_a_damaged_learner_is_refused_by_its_path(tmp_path):
    (tmp_path / "model.npz").write_bytes(b"nothing")
    record = RunRecord.from_json(make_record("stream_ridge", artifacts={"model": str(tmp_path / "model.npz")}))
    with pytest.raises(UserError, match=r"model.npz cannot be read as a learner \(.*\): it is damaged"):
        FAMILY.predictor(record)
