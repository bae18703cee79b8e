import pickle
import subprocess
import sys

import pytest
from kedro.io import DataCatalog, DatasetError

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.datasets import ImageSourceDataset
from cifar_pipelines.sources import find, names, needed_parameters, open_source


@pytest.mark.parametrize("name", names())
def test_sources_are_cheap_and_pickle(name, tmp_path):
    source = open_source(name, None if name == "synthetic" else str(tmp_path / "nowhere"))
    assert source.name == name
    assert type(pickle.loads(pickle.dumps(source))) is find(name)


def test_a_path_that_would_be_ignored_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"^The source 'synthetic' reads no files, so the source_path .*=image_folder"):
        open_source("synthetic", str(tmp_path))


def test_no_heavy_import():
    code = (
        "import sys, cifar_pipelines.sources, cifar_pipelines.plots.of_data, cifar_pipelines.datasets\n"
        "assert not {'torch', 'torchvision', 'pyspark', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_source():
    with pytest.raises(UserError, match=r"Unknown source 'cifar'\. Did you mean 'cifar10'\?.*image_folder"):
        open_source("cifar")


def test_unknown_option():
    with pytest.raises(
        UserError, match=r"Unknown option 'images'.*Known: image_size, seed, .*options of the source 'synthetic'"
    ):
        open_source("synthetic", options={"images": 3})
    with pytest.raises(UserError, match=r"Unknown option 'seed': the source 'cifar10' has none"):
        open_source("cifar10", options={"seed": 3})


@pytest.mark.parametrize("value", ["10", 10.0, True, None])
def test_option_of_the_wrong_type(value):
    with pytest.raises(UserError, match=r"'seed' of the source 'synthetic' is .*type int.*such as 2024"):
        open_source("synthetic", options={"seed": value})


def test_options_and_path_of_the_wrong_type():
    with pytest.raises(UserError, match="must be names and values"):
        open_source("synthetic", options=["seed"])
    with pytest.raises(UserError, match="is not text"):
        open_source("image_folder", 5)


def test_a_source_says_what_a_command_has_to_give():
    assert needed_parameters("image_folder") == {"source_path": "<folder>"}
    assert needed_parameters("synthetic") == needed_parameters("of another project") == {}


def test_dataset_in_a_catalog(make_tree):
    path = make_tree("train/a/1.png", "test/a/1.png")
    kind = "cifar_pipelines.datasets.ImageSourceDataset"
    catalog = DataCatalog.from_config({"images": {"type": kind, "name": "image_folder", "path": path}})
    assert catalog.exists("images")
    assert catalog.load("images").class_names == ("a",)
    assert catalog.load("images") is catalog.load("images")  # for all nodes of a run the folder is listed once
    with pytest.raises(DatasetError, match="read-only"):
        catalog.save("images", 1)


def test_dataset_errors_reach_the_user_as_they_are(tmp_path):
    dataset = ImageSourceDataset("image_folder", str(tmp_path / "nowhere"))
    assert not dataset.exists()
    with pytest.raises(UserError, match="is not a folder that exists"):
        dataset.load()
    assert not ImageSourceDataset("nothing").exists()
    assert ImageSourceDataset("synthetic", options={"seed": 3}).exists()
    assert "'seed': 3" in str(ImageSourceDataset("synthetic", options={"seed": 3}))
