import io
import pickle

import pytest
from PIL import Image

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.sources import open_source


def source_of(path):
    return open_source("image_folder", path)


def test_lists_labels_and_reads(make_tree):
    path = make_tree("train/dog/b.png", "train/dog/a.jpg", "train/cat/1.jpeg", "test/dog/x.png")
    source = source_of(path)
    source.check()
    assert source.class_names == ("cat", "dog")
    index = source.index("train")
    assert index["image_id"].tolist() == ["train/cat/1.jpeg", "train/dog/a.jpg", "train/dog/b.png"]
    assert index["label"].tolist() == [0, 1, 1]
    assert index["label"].dtype == "int64"
    assert source.index("test").values.tolist() == [["test/dog/x.png", 1]]
    [(image_id, encoded)] = source.read(["train/dog/a.jpg"])
    assert image_id == "train/dog/a.jpg"
    assert encoded == (source.path / "train/dog/a.jpg").read_bytes()
    assert source.describe()["classes"] == 2


@pytest.mark.parametrize(
    "train, test",
    [("Train", "TEST"), ("TRAINING", "Testing"), ("train", "val"), ("train", "Valid"), ("train", "validation")],
)
def test_split_folders_have_many_names(make_tree, train, test):
    source = source_of(make_tree(f"{train}/a/1.png", f"{test}/a/2.png"))
    assert source.index("train")["image_id"].tolist() == [f"{train}/a/1.png"]
    assert source.index("test")["image_id"].tolist() == [f"{test}/a/2.png"]


def test_test_wins_over_validation(make_tree):
    source = source_of(make_tree("train/a/1.png", "val/a/2.png", "test/a/3.png"))
    assert source.index("test")["image_id"].tolist() == ["test/a/3.png"]


def test_numbered_classes_are_in_natural_order(make_tree):
    path = make_tree(*(f"train/{n}/1.png" for n in (10, 9, 2)), "test/2/1.png")
    assert source_of(path).class_names == ("2", "9", "10")


def test_mixed_names_are_in_alphabetical_order(make_tree):
    path = make_tree(*(f"train/{n}/1.png" for n in ("10", "9", "a")), "test/a/1.png")
    assert source_of(path).class_names == ("10", "9", "a")


def test_hidden_and_other_files_are_ignored(make_tree):
    path = make_tree("train/a/1.png", "train/a/.2.png", "train/a/notes.txt", "train/.x/1.png", "test/a/1.png")
    source = source_of(path)
    assert source.class_names == ("a",)
    assert len(source.index("train")) == 1


@pytest.mark.parametrize("extension", ["bmp", "webp", "gif", "ppm", "BMP"])
def test_other_formats_are_encoded_as_png(make_tree, extension):
    path = make_tree(f"train/a/1.{extension}", "test/a/1.png")
    [(_, encoded)] = source_of(path).read([f"train/a/1.{extension}"])
    with Image.open(io.BytesIO(encoded)) as image:
        assert (image.format, image.size) == ("PNG", (5, 4))


def test_gray_stays_gray(make_tree):
    path = make_tree("train/a/1.png", "test/a/1.png")
    source = source_of(path)
    Image.new("L", (3, 3), 7).save(source.path / "train/a/2.bmp")
    [(_, encoded)] = source.read(["train/a/2.bmp"])
    with Image.open(io.BytesIO(encoded)) as image:
        assert image.mode == "L"


def test_pickles_without_its_list_of_files(make_tree):
    source = source_of(make_tree("train/a/1.png", "test/a/1.png"))
    source.check()
    copy = pickle.loads(pickle.dumps(source))
    assert vars(copy) == {"path": source.path}
    assert copy.index("train").equals(source.index("train"))


def test_fingerprint_follows_names_and_sizes(make_tree):
    path = make_tree("train/a/1.png", "test/a/1.png")
    first = source_of(path).fingerprint()
    assert first == source_of(path).fingerprint()
    assert len(first) == 64
    make_tree("train/a/2.png")
    second = source_of(path).fingerprint()
    (source_of(path).path / "train/a/2.png").write_bytes(b"longer")
    assert len({first, second, source_of(path).fingerprint()}) == 3


def test_check_sees_changes(make_tree):
    source = source_of(make_tree("train/a/1.png", "test/a/1.png"))
    source.check()
    make_tree("train/b/1.png")
    source.check()
    assert source.class_names == ("a", "b")


def test_no_path():
    with pytest.raises(UserError, match=r"needs a path, and none was given.*source_path=<folder>"):
        source_of(None).check()
    assert not source_of(None).exists()


def test_path_does_not_exist(tmp_path):
    with pytest.raises(UserError, match=r"nowhere is not a folder that exists.*source_path"):
        source_of(str(tmp_path / "nowhere")).check()


@pytest.mark.parametrize(
    "files, message",
    [
        (["images/a/1.png"], r"no folder for the train split.*train or training; found: images\. The layout"),
        (["1.png"], r"no folder for the train split.*found: no folder"),
        (["train/a/1.png"], r"no folder for the test split.*test or testing or val.*found: train"),
        (["train/1.png", "train/2.png"], r"train has no class: 2 images lie directly in it.*one folder per"),
        (["train/.hidden/1.png"], r"train has no class: it is empty"),
        (["train/a/1.png", "test/b/1.png"], r"has the class 'b', which the training split lacks.*remove"),
        (["train/a/1.png", "train/b/x.txt", "test/a/1.png"], r"b holds no image.*\.jpg, \.jpeg.*remove"),
    ],
)
def test_wrong_layouts(make_tree, files, message):
    with pytest.raises(UserError, match=f"(?s){message}"):
        source_of(make_tree(*files)).check()


def test_unknown_split(make_tree):
    with pytest.raises(UserError, match=r"Unknown split 'val'.*'train' and 'test'"):
        source_of(make_tree("train/a/1.png", "test/a/1.png")).index("val")
