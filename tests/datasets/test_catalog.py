from cifar_pipelines.datasets.catalog import Catalog


def test_versions_are_found_below_a_folder_of_any_name(tmp_path):
    file = tmp_path / "a [b] *?, #%20" / "x[1].json"
    entry = {"type": "json.JSONDataset", "filepath": str(file), "versioned": True}
    for version in ("2024-01-01T00.00.00.000Z", "2024-01-02T00.00.00.000Z"):
        Catalog.from_config({"x": entry}, save_version=version).save("x", {"version": version})
    catalog = Catalog.from_config({"x": entry})
    assert catalog.exists("x") and catalog.load("x") == {"version": "2024-01-02T00.00.00.000Z"}
    assert len(catalog.get("x").list_versions()) == 2
