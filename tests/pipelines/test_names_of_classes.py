import pandas as pd
import pytest
from kedro_datasets.pandas import CSVDataset

from cifar_pipelines.common.configuration import load_configuration


@pytest.mark.parametrize("entry", ["image_manifest", "{scope}_classes"])
def test_names_that_look_like_something_else_stay_text_in_the_catalog(tmp_path, entry):
    config = load_configuration()["catalog"][entry]
    assert config["type"] == "pandas.CSVDataset"
    dataset = CSVDataset(
        filepath=str(tmp_path / "table.csv"), load_args=config["load_args"], save_args=config["save_args"]
    )
    names = ["0", "007", "1.0", "NA", "null", "True", "1e5", " "]
    table = pd.DataFrame({"image_id": names, "label": range(8), "class_name": names})
    dataset.save(table)
    pd.testing.assert_frame_equal(dataset.load(), table)
