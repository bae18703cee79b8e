import io
import json
import pickle

import numpy as np
import pytest
from PIL import Image

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.sources import open_source


def pixels(source, image_ids):
    return [np.asarray(Image.open(io.BytesIO(encoded))) for _, encoded in source.read(image_ids)]


def test_index_is_balanced():
    source = open_source("synthetic", options={"train_images": 1003, "test_images": 20})
    index = source.index("train")
    assert index["image_id"].iloc[42] == "train/0000042"
    assert index["label"].dtype == "int64"
    assert set(index["label"].value_counts()) == {100, 101}
    assert source.index("test")["label"].value_counts().tolist() == [2] * 10
    assert len(source.class_names) == 10


def test_an_image_depends_on_seed_split_and_number_alone():
    small = open_source("synthetic", options={"train_images": 10})
    large = pickle.loads(pickle.dumps(open_source("synthetic", options={"train_images": 5_000_000})))
    [first, other_split, again] = pixels(small, ["train/0000003", "test/0000003", "train/0000003"])
    assert first.shape == (32, 32, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other_split)
    assert np.array_equal(first, pixels(large, ["train/0000003"])[0])
    other_seed = open_source("synthetic", options={"seed": 7})
    assert not np.array_equal(first, pixels(other_seed, ["train/0000003"])[0])


def test_image_size():
    source = open_source("synthetic", options={"image_size": 48})
    assert pixels(source, ["test/0000000"])[0].shape == (48, 48, 3)


def test_every_class_is_visible_and_varied():
    source = open_source("synthetic")
    index = source.index("train").head(100)
    images = np.stack(pixels(source, index["image_id"]))
    assert (images.std(axis=(1, 2, 3)) > 5).all()
    assert len({image.tobytes() for image in images}) == 100


def test_identity():
    source = open_source("synthetic")
    options = [{"seed": 1}, {"train_images": 10}, {"test_images": 10}, {"image_size": 16}]
    prints = {open_source("synthetic", options=option).fingerprint() for option in options}
    assert len(prints | {source.fingerprint()}) == 5
    assert json.loads(json.dumps(source.describe()))["path"] is None
    assert source.exists()
    source.check()


@pytest.mark.parametrize("option, least", [("train_images", 10), ("test_images", 10), ("seed", 0), ("image_size", 8)])
def test_numbers_out_of_range(option, least):
    with pytest.raises(UserError, match=rf"{option}.*is {least - 1}\. It has to be at least {least}"):
        open_source("synthetic", options={option: least - 1})
