import pytest

from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.places import place
from cifar_pipelines.datasets import RunRecordsDataset


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    dataset = RunRecordsDataset(path=str(tmp_path / "nowhere"))
    assert dataset.load() == {} and dataset.exists() and not (tmp_path / "nowhere").exists()


def test_files_at_any_depth_are_named_by_their_path(tmp_path):
    dataset = RunRecordsDataset(path=str(tmp_path))
    name = "exec_2x1/a.json/2026-11-26T14.17.47.374Z/a"
    dataset.save({name: {"x": 1}, "b": [2]})
    dataset.save({"b": [3]})
    assert {name: load() for name, load in dataset.load().items()} == {name: {"x": 1}, "b": [3]}
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and file.suffix != ".json"]


def test_what_cannot_be_written_leaves_what_was_there(tmp_path):
    dataset = RunRecordsDataset(path=str(tmp_path))
    dataset.save({"a": 1})
    with pytest.raises(Exception, match="not JSON serializable"):
        dataset.save({"a": object()})
    assert dataset.load()["a"]() == 1


@pytest.mark.parametrize("name", ["run_records", "applications", "fit_forecasts", "experiments"])
def test_places_are_those_of_the_catalog(name):
    assert place(name).as_posix() == load_configuration()["catalog"][name]["path"]
    assert not place(name).is_absolute()
