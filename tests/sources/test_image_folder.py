import os
import pickle
import unicodedata

import pytest

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.images import LARGEST_FILE, examine
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


def test_a_test_folder_without_classes_gives_way_to_a_labelled_one(make_tree):
    source = source_of(make_tree("train/a/1.png", "test/1.png", "test/unknown/2.png", "valid/a/3.png"))
    assert source.index("test")["image_id"].tolist() == ["valid/a/3.png"]
    assert source.describe()["notes"] == [
        f"{source.path}/test is not read: the test split is valid/, the first that has known classes."
    ]


def test_images_directly_in_the_test_folder_have_no_label_and_come_in_the_order_of_their_numbers(make_tree, caplog):
    path = make_tree("train/a/1.png", "train/b/1.png", *(f"test/{number}.png" for number in (10, 9, 100, 1)))
    source = source_of(path)
    source.check()
    assert source.unlabelled() == [f"test/{number}.png" for number in (1, 9, 10, 100)]
    assert source.index("test").empty and source.index("test")["label"].dtype == "int64"
    assert len(list(source.read(source.unlabelled()))) == 4
    said = f"The 4 images directly in {path}/test have no label: they are predicted, not judged."
    assert caplog.messages == source.describe()["notes"] == [said]
    before = source.fingerprint()
    make_tree("test/a name.png")
    source.check()
    assert source.unlabelled() == [f"test/{name}.png" for name in ("1", "10", "100", "9", "a name")]
    assert source.fingerprint() != before


def test_images_without_labels_lie_beside_labelled_ones_in_another_folder(make_tree):
    source = source_of(make_tree("train/a/1.png", "test/2.png", "valid/a/3.png"))
    assert source.index("test")["image_id"].tolist() == ["valid/a/3.png"]
    assert source.unlabelled() == ["test/2.png"]


def test_a_source_with_labels_for_all_has_none_without(make_tree):
    assert source_of(make_tree("train/a/1.png", "test/a/1.png", "test/3.png", "val/1.png")).unlabelled() == []


def test_images_may_lie_deeper_and_the_whole_in_a_folder_of_an_archive(make_tree):
    path = make_tree("pets/train/a/images/1.png", "pets/test/a/images/2.png", "__MACOSX/pets/train/a/._1.png")
    source = source_of(path)
    assert source.class_names == ("a",)
    assert source.index("train")["image_id"].tolist() == ["pets/train/a/images/1.png"]
    assert len(list(source.read(source.index("test")["image_id"]))) == 1
    [note] = source.describe()["notes"]
    assert "pets/train/a/images/1.png and 1 more image" in note


def test_one_folder_may_lie_around_all_classes_of_a_split(make_tree):
    source = source_of(make_tree("x/y/train/images/a/1.png", "x/y/train/images/b/2.png", "x/y/test/images/b/3.png"))
    assert source.class_names == ("a", "b")
    assert source.index("test")["label"].tolist() == [1]
    assert source.describe()["notes"] == []


def test_a_class_whose_images_lie_in_several_folders_stays_one(make_tree):
    source = source_of(make_tree("train/a/1.png", "train/b/1.png", "test/a/front/1.png", "test/a/back/2.png"))
    assert source.index("test")["label"].tolist() == [0, 0]


def test_one_name_in_two_ways_of_writing_accents_is_one_class(make_tree):
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    source = source_of(make_tree(f"train/{composed}/1.png", f"train/{decomposed}/2.png", f"test/{decomposed}/3.png"))
    assert source.class_names == (composed,)
    assert source.index("train")["label"].tolist() == [0, 0]
    assert source.index("test").values.tolist() == [[f"test/{decomposed}/3.png", 0]]


@pytest.mark.parametrize("folder", ["with [brackets] and *", "ä ö", "{x}", "50% #1"])
def test_any_name_of_a_folder_works(make_tree, folder):
    path = make_tree(f"{folder}/train/a b/1.png", f"{folder}/test/a b/[2].png")
    source = source_of(f"{path}/{folder}")
    assert source.index("test")["image_id"].tolist() == ["test/a b/[2].png"]
    assert len(list(source.read(source.index("test")["image_id"]))) == 1


def test_a_path_is_that_of_a_person_or_an_address_of_a_file(make_tree, monkeypatch):
    path = make_tree("train/a/1.png", "test/a/1.png")
    monkeypatch.setenv("HOME", path)
    assert str(source_of("~").path) == str(source_of(f"file://{path}").path) == path
    with pytest.raises(UserError, match=r"source_path is s3://x/y, but addresses of the kind s3:// are not supported"):
        source_of("s3://x/y")


def test_numbered_classes_are_in_natural_order(make_tree):
    path = make_tree(*(f"train/{n}/1.png" for n in (10, 9, 2)), "test/2/1.png")
    assert source_of(path).class_names == ("2", "9", "10")


def test_mixed_names_are_in_alphabetical_order(make_tree):
    path = make_tree(*(f"train/{n}/1.png" for n in ("10", "9", "a")), "test/a/1.png")
    assert source_of(path).class_names == ("10", "9", "a")


def test_other_files_are_left_out_and_said_once(make_tree, caplog):
    path = make_tree("train/a/1.png", "train/a/.2.png", "train/a/notes.txt", "train/.x/1.png", "test/a/1.png")
    source = source_of(path)
    source.check()
    assert source.class_names == ("a",)
    assert len(source.index("train")) == 1
    assert caplog.messages == source.describe()["notes"] == ["Files that are not read as images: .txt (1)."]


def test_images_beside_the_folders_of_classes_are_said(make_tree):
    source = source_of(make_tree("train/a/1.png", "train/2.png", "test/a/1.png", "test/3.png"))
    assert source.describe()["notes"] == [
        "Files that are not read as images: images beside the folders of classes (2)."
    ]


@pytest.mark.parametrize("extension", ["bmp", "webp", "gif", "ppm", "BMP", "tif", "tiff", "jfif", "avif", "jp2"])
def test_other_formats_are_read_as_they_are(make_tree, extension):
    path = make_tree(f"train/a/1.{extension}", "test/a/1.png")
    source = source_of(path)
    [image_id] = source.index("train")["image_id"]
    [(_, encoded)] = source.read([image_id])
    assert encoded == (source.path / image_id).read_bytes()
    assert examine(encoded)[:3] == (4, 5, None)


@pytest.mark.parametrize("extension", ["webp", "gif", "bmp", "tif", "jpg", "png"])
def test_a_broken_file_of_any_kind_is_read_for_others_to_name(make_tree, extension):
    source = source_of(make_tree("train/a/1.png", "test/a/1.png"))
    (source.path / "train/a" / f"x.{extension}").write_bytes(b"junk")
    [(_, encoded)] = source.read([f"train/a/x.{extension}"])
    assert examine(encoded).error == "UnidentifiedImageError: no image of a kind that is read"


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


def test_fingerprint_follows_a_picture_of_the_same_size(make_tree):
    source = source_of(make_tree("train/a/1.bmp", "test/a/1.png"))
    first, picture = source.fingerprint(), source.path / "train/a/1.bmp"
    content = picture.read_bytes()
    os.utime(picture, ns=(0, 0))  # as if it were older
    earlier = source.fingerprint()
    picture.write_bytes(content[::-1])
    assert len({first, earlier, source.fingerprint()}) == 3


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


def test_a_path_that_cannot_be_looked_at(tmp_path):
    with pytest.raises(UserError, match=r"cannot be looked at: File name too long"):
        source_of(str(tmp_path / ("a" * 300))).check()


def test_path_does_not_exist(tmp_path):
    with pytest.raises(UserError, match=r"nowhere is not a folder that exists.*source_path"):
        source_of(str(tmp_path / "nowhere")).check()


def test_an_archive_is_to_be_unpacked(tmp_path):
    (tmp_path / "pets.zip").touch()
    with pytest.raises(UserError, match=r"pets\.zip is a file, and images are read from a folder.*unpack it"):
        source_of(str(tmp_path / "pets.zip")).check()


def test_the_folder_of_one_split_is_too_deep(make_tree):
    path = make_tree("train/a/1.png", "test/a/1.png")
    with pytest.raises(UserError, match=rf"train is the folder of one split.*source_path={path}\. The layout"):
        source_of(f"{path}/train").check()


@pytest.mark.parametrize(
    "files, message",
    [
        (["images/a/1.png"], r"no folder for the train split.*train or training; found: images\. The layout"),
        (["1.png"], r"no folder for the train split.*found: no folder"),
        (["train/a/1.png"], r"no folder for the test split.*test or testing or val.*found: train"),
        (
            ["train/1.png", "train/2.png", "test/a/1.png"],
            r"train has no class: images lie directly in it \(2\).*one folder per",
        ),
        (["train/.hidden/1.png", "test/a/1.png"], r"train has no class: it is empty"),
        (
            ["train/a/1.png", "test/b/1.png"],
            r"has the class 'b', which the training split lacks.*remove.*without labels have to lie directly in",
        ),
        (["train/a/1.png", "test/1.png", "test/b/1.png"], r"has the class 'b', which the training split lacks"),
        (["train/a/1.png", "val/1.png"], r"val has no class: images lie directly in it \(1\)"),
        (
            ["train/a/1.png", "train/b/x.txt", "test/a/1.png"],
            r"b holds no image\. Files.*\.txt \(1\).*\.jpg, \.jpeg.*remove",
        ),
    ],
)
def test_wrong_layouts(make_tree, files, message):
    with pytest.raises(UserError, match=f"(?s){message}"):
        source_of(make_tree(*files)).check()


def test_unknown_split(make_tree):
    with pytest.raises(UserError, match=r"Unknown split 'val'.*'train' and 'test'"):
        source_of(make_tree("train/a/1.png", "test/a/1.png")).index("val")


def test_an_image_that_is_gone_since_it_was_listed_is_named(make_tree):
    source = source_of(make_tree("train/a/1.png", "train/b/1.png", "test/a/1.png"))
    assert source.class_names == ("a", "b")
    gone = source.path / "train/a/1.png"
    gone.unlink()
    for use in (
        source.fingerprint,
        lambda: source.total_bytes(["train/a/1.png"]),
        lambda: list(source.read(["train/a/1.png"])),
    ):
        with pytest.raises(UserError, match=f"The image {gone} cannot be read: No such file or directory. Put it back"):
            use()


def test_of_a_file_that_is_too_large_no_more_is_read_than_shows_it(make_tree):
    source = source_of(make_tree("train/a/1.png", "train/b/1.png", "test/a/1.png"))
    with (source.path / "train/a/1.png").open("wb") as file:
        file.truncate(3 * LARGEST_FILE)
    [(_, image)] = source.read(["train/a/1.png"])
    assert len(image) == LARGEST_FILE + 1
    assert examine(image).error == "OSError: a file of more than 256 MiB"
