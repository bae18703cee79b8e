import io
import pickle

import numpy as np
import pytest
from kedro.io import DatasetError
from matplotlib.figure import Figure

from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.datasets import ArraysDataset, BytesDataset, PlotDataset


def test_bytes_come_back_as_they_were(tmp_path):
    dataset = BytesDataset(filepath=str(tmp_path / "new" / "report.pdf"))
    assert not dataset.exists()
    dataset.save(b"%PDF \x00\xff")
    assert dataset.exists() and dataset.load() == b"%PDF \x00\xff"
    dataset.save(b"shorter")
    assert dataset.load() == b"shorter"
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["report.pdf"]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"report\.pdf"):
        BytesDataset(filepath=str(tmp_path / "report.pdf")).load()


def test_arrays_come_back_as_they_were(tmp_path):
    dataset = ArraysDataset(filepath=str(tmp_path / "new" / "state.npz"))
    assert not dataset.exists()
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "weights": np.frombuffer(b"\x00bytes", np.uint8)}
    dataset.save(arrays)
    loaded = dataset.load()
    assert loaded.keys() == arrays.keys() and io.BytesIO(loaded["weights"]).read() == b"\x00bytes"
    np.testing.assert_array_equal(loaded["a"], arrays["a"])
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["state.npz"]


def test_a_pickle_file_whose_place_arrays_take_is_named_as_passed_over(tmp_path, caplog):
    (tmp_path / "state.pkl").write_bytes(b"")
    dataset = ArraysDataset(filepath=str(tmp_path / "state.npz"))
    assert not dataset.exists() and not caplog.text
    dataset.save({"a": np.zeros(1)})
    assert f"{tmp_path / 'state.pkl'} is no longer read" in caplog.text and "state.npz takes its place" in caplog.text


def test_what_would_run_when_it_is_loaded_is_neither_saved_nor_loaded(tmp_path):
    dataset = ArraysDataset(filepath=str(tmp_path / "state.npz"))
    with pytest.raises(DatasetError, match="allow_pickle"):
        dataset.save({"a": np.array([object()])})
    assert list(tmp_path.iterdir()) == []
    np.savez(tmp_path / "state.npz", a=np.array([{"an": "object"}]))
    with pytest.raises(DatasetError, match="allow_pickle"):
        dataset.load()
    (tmp_path / "state.npz").write_bytes(pickle.dumps({"a": 1}))  # what earlier versions wrote
    with pytest.raises(DatasetError, match="allow_pickle"):
        dataset.load()


def test_no_dataset_of_the_catalog_is_a_pickle():
    entries = [entry for entry in load_configuration()["catalog"].values() if isinstance(entry, dict)]
    assert len(entries) > 20 and not [entry for entry in entries if "pickle" in str(entry).lower()]


def test_a_plot_is_loaded_as_its_file(tmp_path):
    dataset = PlotDataset(filepath=str(tmp_path / "plot.png"))
    dataset.save(Figure(figsize=(1, 1)))
    assert dataset.load() == (tmp_path / "plot.png").read_bytes()
    assert dataset.load().startswith(b"\x89PNG")
