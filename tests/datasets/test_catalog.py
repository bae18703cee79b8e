import json

import pytest
from kedro.io import DatasetError

from cifar_pipelines.common.own_code import told
from cifar_pipelines.datasets.catalog import Catalog, behind_dataset, not_moved


def test_versions_are_found_below_a_folder_of_any_name(tmp_path):
    file = tmp_path / "a [b] *?, #%20" / "x[1].json"
    entry = {"type": "json.JSONDataset", "filepath": str(file), "versioned": True}
    for version in ("2024-01-01T00.00.00.000Z", "2024-01-02T00.00.00.000Z"):
        Catalog.from_config({"x": entry}, save_version=version).save("x", {"version": version})
    catalog = Catalog.from_config({"x": entry})
    assert catalog.exists("x") and catalog.load("x") == {"version": "2024-01-02T00.00.00.000Z"}
    assert len(catalog.get("x").list_versions()) == 2


@pytest.mark.parametrize(
    ("kind", "name", "why"),
    [
        ("json.JSONDataset", "images.json", "JSONDecodeError"),
        ("cifar_pipelines.datasets.ArraysDataset", "state.npz", "ValueError"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place_the_reason_and_what_to_do(kind, name, why, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text("no such file")
    catalog = Catalog.from_config({"x": {"type": kind, "filepath": str(tmp_path / name)}})
    with pytest.raises(DatasetError) as error:
        catalog.load("x")
    said = not_moved(catalog, "x", "read", told(behind_dataset(error.value)))
    assert said.startswith(f"{name} cannot be read: {why}: ") and "remove it and run the same command again" in said


def test_a_version_is_named_by_its_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    entry = {"type": "json.JSONDataset", "filepath": str(tmp_path / "x.json"), "versioned": True}
    Catalog.from_config({"x": entry}, save_version="1").save("x", json.loads("{}"))
    assert not_moved(Catalog.from_config({"x": entry}), "x", "read", "why").startswith(
        "x.json/1/x.json cannot be read: why."
    )
