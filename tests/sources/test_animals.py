import gzip
import io
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.sources import animals, open_source

A_CLASS = 10  # images


def write(folder, images, labels):
    for name, content in ((animals.IMAGES, images), (animals.LABELS, labels)):
        (folder / name).write_bytes(gzip.compress(pickle.dumps(content, 4)))
    animals._arrays.cache_clear(), animals._unique.cache_clear(), animals._index.cache_clear()


@pytest.fixture
def packed(tmp_path):
    """What the package holds, in small: two images of every class are there twice."""
    labels = np.repeat(np.arange(10), A_CLASS + 2)
    images = np.random.default_rng(0).integers(0, 256, (len(labels), 28, 28), dtype=np.uint8)
    images[A_CLASS :: A_CLASS + 2] = images[:: A_CLASS + 2]
    images[A_CLASS + 1 :: A_CLASS + 2] = images[1 :: A_CLASS + 2]
    write(tmp_path, images, labels)
    yield tmp_path, images, labels
    animals._arrays.cache_clear(), animals._unique.cache_clear(), animals._index.cache_clear()


def test_equal_images_are_left_out_and_a_fifth_of_every_class_is_for_testing(packed):
    path, images, _ = packed
    source = open_source("animals", str(path))
    source.check()
    train, test = source.index("train"), source.index("test")
    assert (train["label"].value_counts() == 8).all() and (test["label"].value_counts() == 2).all()
    read = [image for split in (train, test) for _, image in source.read(split["image_id"])]
    assert len(read) == len(set(read)) == 100
    assert train["label"].dtype == "int64" and train["image_id"][0].startswith("train/bear-0000")
    assert "of 120 images 20 equal an earlier one and are left out" in source.describe()["obtained"]
    assert source.describe()["equal_left_out"] == 20
    name, file = next(source.read([test["image_id"].iloc[-1]]))
    with Image.open(io.BytesIO(file)) as image:
        pixels = np.asarray(image)
    assert pixels.shape == (28, 28, 3) and (pixels[..., 0] == images[int(name[-5:])]).all()
    assert (pixels == pixels[..., :1]).all()


def test_the_split_follows_the_images_and_not_their_order(packed):
    path, images, labels = packed

    def tested(order):
        write(path, images[order], labels[order])
        source = open_source("animals", str(path))
        return {image for _, image in source.read(source.index("test")["image_id"])}

    assert tested(np.arange(len(images))) == tested(np.arange(len(images))[::-1])


def test_other_pixels_have_another_fingerprint(packed):
    path, images, labels = packed
    before = open_source("animals", str(path)).fingerprint()
    images[0, 0, 0] += 1
    write(path, images, labels)
    assert open_source("animals", str(path)).fingerprint() != before


def test_a_package_that_is_not_there_is_named_with_the_remedy(tmp_path):
    with pytest.raises(
        UserError, match=r"is not installed. Install it by `make install`.*--no-deps animal-mnist.*=synthetic"
    ):
        open_source("animals", str(tmp_path)).check()


class Harm:
    def __reduce__(self):
        return os.system, ("touch harm",)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (Harm(), "not the pickle of one array"),
        (np.array([Harm()], dtype=object), "not the pickle of one array"),
        (np.zeros((120, 28), np.uint8), "must hold grey images of 10 classes"),
        (np.zeros((119, 28, 28), np.uint8), "must hold grey images of 10 classes"),
    ],
)
def test_files_with_code_in_them_or_of_another_shape_are_refused(packed, monkeypatch, images, words):
    path, _, labels = packed
    monkeypatch.chdir(path)
    write(path, images, labels)
    with pytest.raises(UserError, match=words):
        open_source("animals", str(path)).check()
    assert not (path / "harm").exists()


def test_a_file_that_ends_too_early_is_refused(packed):
    file = packed[0] / animals.IMAGES
    file.write_bytes(file.read_bytes()[:-9])
    animals._arrays.cache_clear()
    with pytest.raises(UserError, match="holds no images that can be read"):
        open_source("animals", str(packed[0])).check()


def test_the_package_that_is_installed_is_read_without_being_imported():
    code = (
        "import sys; from cifar_pipelines.sources import open_source; source = open_source('animals'); source.check()\n"
        "sizes = [len(source.index(split)) for split in ('train', 'test')]\n"
        "assert sizes == [7775, 1941], sizes\n"
        "assert not {'animal_mnist', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
