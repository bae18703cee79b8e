import pytest
from kedro.io import DatasetError
from matplotlib.figure import Figure

from cifar_pipelines.datasets import BytesDataset, PlotDataset


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


def test_a_plot_is_loaded_as_its_file(tmp_path):
    dataset = PlotDataset(filepath=str(tmp_path / "plot.png"))
    dataset.save(Figure(figsize=(1, 1)))
    assert dataset.load() == (tmp_path / "plot.png").read_bytes()
    assert dataset.load().startswith(b"\x89PNG")
