from dataclasses import replace

import numpy as np
import pytest
from tests.factories.records import make_record

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.datasets.files import ArraysDataset
from cifar_pipelines.extractors import create_extractor, state_sha256
from cifar_pipelines.pipelines.features.saved import open_extractor
from cifar_pipelines.records.run_record import RunRecord

STATE = {"mean": np.arange(3, dtype=np.float32), "dictionary": np.ones((2, 3), np.float32)}


@pytest.fixture
def record(tmp_path):
    ArraysDataset(filepath=str(tmp_path / "extractor_state.npz")).save(STATE)
    features = {
        "input_size": 16, "options": {"centroids": 8, "mirror": False}, "micro_batch": 16, "state_sha256": state_sha256(STATE)
    }  # fmt: skip
    model = tmp_path / "exec_2x1" / "linear_svm" / "now" / "linear_svm"
    return RunRecord.from_json(make_record("linear_svm", features=features, artifacts={"model": str(model)}))


def test_the_extractor_is_the_one_of_the_training(record):
    extractor, state = open_extractor(record)
    assert (extractor.name, extractor.input_size, extractor.centroids, extractor.mirror) == (
        "kmeans_patches",
        16,
        8,
        False,
    )
    assert state_sha256(state) == state_sha256(STATE)


def test_weights_that_are_gone_are_named(record, tmp_path):
    (tmp_path / "extractor_state.npz").unlink()
    with pytest.raises(UserError, match=r"weights of the extractor kmeans_patches are gone: no extractor_state.npz"):
        open_extractor(record)


def test_weights_that_are_others_are_refused(record, tmp_path):
    ArraysDataset(filepath=str(tmp_path / "extractor_state.npz")).save(STATE | {"mean": np.zeros(3, np.float32)})
    with pytest.raises(UserError, match=r"holds other weights .sha256 .*features were extracted anew since"):
        open_extractor(record)


def test_damaged_weights_are_refused(record, tmp_path):
    file = tmp_path / "extractor_state.npz"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(UserError, match=r"cannot be read .*it is damaged"):
        open_extractor(record)


@pytest.mark.parametrize("changed", [{"mean": np.zeros(3, np.float32)}, {"mean": STATE["mean"].astype(np.float64)}])
def test_states_that_differ_have_digests_that_differ(changed):
    assert state_sha256(STATE) == state_sha256(dict(reversed(STATE.items())))
    assert state_sha256(STATE | changed) != state_sha256(STATE)


def test_a_network_takes_the_input_of_its_training_without_its_file_of_weights(record, tmp_path):
    spec = create_extractor("torchvision:squeezenet1_1", None, 48, {}, "none").input
    changed = spec.adapted(None, "pad")
    features = replace(record.features, extractor="torchvision:squeezenet1_1", options={}, input_size=48, input=changed)
    extractor, _ = open_extractor(replace(record, features=features))
    assert extractor.square == changed.square != spec.square
