import pandas as pd
import pytest
from kedro.io import Version

from cifar_pipelines.datasets import CsvRowsDataset, ParquetRowsDataset


@pytest.mark.parametrize("kind", [CsvRowsDataset, ParquetRowsDataset])
@pytest.mark.parametrize("version", [None, Version(None, "2024-01-02T03.04.05.678Z")])
def test_a_table_without_rows_has_no_file_and_one_with_rows_comes_back(kind, version, tmp_path):
    dataset = kind(filepath=str(tmp_path / "table"), version=version)
    dataset.save(pd.DataFrame(columns=["a"]))
    assert not list(tmp_path.iterdir()) and not dataset.exists() and dataset.load().empty
    table = pd.DataFrame({"a": [1, 2]})
    dataset.save(table)
    assert dataset.exists() and dataset.load()["a"].tolist() == [1, 2]
