import json

import numpy as np
import pyarrow as pa
import pytest
from kedro.io import DataCatalog, DatasetError
from pyarrow import parquet

from cifar_pipelines.common.table_files import WrittenTable
from cifar_pipelines.datasets import SparkTableDataset

ROWS = [(1, [1.0, 2.0]), (2, [3.0, 4.0])]


@pytest.fixture
def dataset(spark, tmp_path):
    return SparkTableDataset(filepath=str(tmp_path / "table"), save_args={"mode": "overwrite"})


def frame(spark, rows=ROWS):
    return spark.session.createDataFrame(rows, "id int, features array<float>").coalesce(1)


def rows_of(table):
    return sorted((row["id"], row["features"]) for row in table.collect())


def test_a_table_loads_as_it_was_saved_below_any_folder(spark, tmp_path):
    folder = tmp_path / "a space, a comma [and] {é,*}?#%20"
    dataset = SparkTableDataset(filepath=str(folder / "table"), save_args={"mode": "overwrite"})
    assert not dataset.exists()
    dataset.save(frame(spark))
    assert dataset.exists()
    loaded = dataset.load()
    assert rows_of(loaded) == ROWS
    assert loaded.dtypes == [("id", "int"), ("features", "array<float>")]
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]  # no stray one beside it


def test_row_groups_of_large_rows_stay_small(spark, dataset, tmp_path):
    noise = np.random.default_rng(0).bytes(3_500_000)
    dataset.save(spark.session.createDataFrame([(bytearray(noise),)] * 8, "image binary").coalesce(1))
    (file,) = (tmp_path / "table").glob("*.parquet")
    read = parquet.ParquetFile(file).metadata
    groups = [read.row_group(number) for number in range(read.num_row_groups)]
    assert sum(group.num_rows for group in groups) == 8
    assert max(group.total_byte_size for group in groups) <= 16 * 2**20


def test_a_table_that_was_not_written_to_its_end_does_not_exist(spark, dataset, tmp_path):
    dataset.save(frame(spark))
    (tmp_path / "table" / "_SUCCESS").unlink()
    assert not dataset.exists()


def test_a_half_written_table_is_written_anew(spark, dataset, tmp_path):
    dataset.save(frame(spark))
    (tmp_path / "table" / "_SUCCESS").unlink()
    dataset.save(frame(spark, ROWS[:1]))
    assert rows_of(dataset.load()) == ROWS[:1]


def test_what_a_killed_worker_had_begun_is_no_file_of_the_table(tmp_path):
    parts = tmp_path / "parts"
    parts.mkdir()
    parquet.write_table(pa.table({"id": [1, 2]}), parts / "part-00000.parquet")
    (parts / "part-00001.parquet.4711.partial").write_bytes(b"PAR1")
    SparkTableDataset(filepath=str(tmp_path / "table")).save(WrittenTable(parts))
    assert sorted(path.name for path in (tmp_path / "table").iterdir()) == ["_SUCCESS", "part-00000.parquet"]


def test_a_missing_table_is_named(spark, dataset, tmp_path):
    with pytest.raises(DatasetError, match=f"{tmp_path}/table"):
        dataset.load()


def test_a_catalog_makes_the_dataset(spark, tmp_path):
    kind = {"type": "cifar_pipelines.datasets.SparkTableDataset", "filepath": str(tmp_path / "table")}
    catalog = DataCatalog.from_config({"images": kind})
    assert not catalog.exists("images")
    catalog.save("images", frame(spark))
    assert rows_of(catalog.load("images")) == ROWS


def test_a_half_written_table_does_not_load(spark, dataset, tmp_path):
    dataset.save(frame(spark))
    (tmp_path / "table" / "_SUCCESS").unlink()
    with pytest.raises(DatasetError, match="is missing or was not written to its end"):
        dataset.load()


@pytest.mark.parametrize(
    ("described", "believed"),
    [({"rows": 2}, True), ({"train_size": 1, "test_size": 1}, True), ({}, True), ({"rows": 1}, False)],
)
def test_a_table_with_other_rows_than_its_description_says_is_not_believed(
    spark, dataset, tmp_path, described, believed
):
    dataset.save(frame(spark))
    (tmp_path / "table.json").write_text(json.dumps(described))
    assert dataset.exists() == believed
    if not believed:
        with pytest.raises(
            DatasetError, match=r"/table holds 2 rows, but table\.json beside it says 1 row: .* again\."
        ):
            dataset.load()


def test_a_damaged_file_of_a_table_is_not_believed(spark, dataset, tmp_path):
    dataset.save(frame(spark))
    (tmp_path / "table.json").write_text(json.dumps({"rows": 2}))
    next((tmp_path / "table").glob("*.parquet")).write_bytes(b"junk")
    with pytest.raises(DatasetError, match="holds files that cannot be read, but"):
        dataset.load()


@pytest.mark.parametrize("description", ["{", "[]", "3"])
def test_a_table_whose_description_cannot_be_read_is_not_believed(tmp_path, description):
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "_SUCCESS").touch()
    (tmp_path / "table.json").write_text(description)
    dataset = SparkTableDataset(filepath=str(tmp_path / "table"))
    assert not dataset.exists()
    with pytest.raises(DatasetError, match=r"is described by table\.json beside it, which cannot be read\. Run"):
        dataset.load()


@pytest.mark.e2e
def test_a_table_loads_where_no_run_is_under_way_and_the_host_has_no_java(run_python, tmp_path, monkeypatch):
    table = tmp_path / "table"
    table.mkdir()
    parquet.write_table(pa.table({"id": [1, 2, 3]}), table / "part-0.parquet")
    (table / "_SUCCESS").touch()
    monkeypatch.setenv("SPARK_HOME", "/opt/nope")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    code = """
    import sys
    from cifar_pipelines.datasets import SparkTableDataset

    table = SparkTableDataset(filepath=sys.argv[1]).load()
    print("rows:", table.count(), table.sparkSession.conf.get("spark.driver.host"))
    """
    assert run_python(code, table).strip() == "rows: 3 127.0.0.1"
