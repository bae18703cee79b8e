import io
import pickle
import tarfile

import pandas as pd
import pytest
from tests.factories.texts import write_reviews

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.sources import imdb, open_source


@pytest.fixture
def folder(tmp_path):
    return write_reviews(tmp_path, train=6, test=4)


def folder_source(path, **options):
    return open_source("text_folder", str(path), options)


def test_texts_lie_in_folders_as_images_do(folder, caplog):
    (folder / "train" / "notes.md").write_text("none", encoding="utf-8")
    (folder / "train" / "unsup").mkdir()
    (folder / "train" / "unsup" / "0.txt").write_text("Nobody has labelled this.", encoding="utf-8")
    source = folder_source(folder)
    source.check()
    assert source.class_names == ("neg", "pos")
    assert source.index("train")["image_id"].tolist()[:2] == ["train/neg/0.txt", "train/neg/1.txt"]
    assert dict(pickle.loads(pickle.dumps(source)).read(["test/pos/1.txt"]))["test/pos/1.txt"].endswith(b"<br />")
    assert "The folder unsup is no class: its 1 text are not read." in caplog.text


def test_a_class_without_texts_is_refused_by_its_folder(folder):
    (folder / "train" / "neutral").mkdir()
    with pytest.raises(
        UserError, match=r"neutral holds no text. Every class needs at least one file that ends in .txt"
    ):
        folder_source(folder).check()


def test_a_test_class_that_nothing_was_learned_of_is_refused(folder):
    (folder / "test" / "neutral").mkdir()
    (folder / "test" / "neutral" / "0.txt").write_text("So so.", encoding="utf-8")
    with pytest.raises(
        UserError, match=r"has the class 'neutral', which the training split lacks.* add training texts"
    ):
        folder_source(folder).check()


def test_training_texts_that_are_test_texts_too_are_left_out_on_request(folder):
    (folder / "train" / "pos" / "copy.txt").write_bytes(
        (folder / "test" / "pos" / "1.txt").read_bytes().replace(b" ", b"\n")
    )
    whole, less = folder_source(folder), folder_source(folder, leave_out_copies=True)
    assert set(whole.index("train")["image_id"]) - set(less.index("train")["image_id"]) == {"train/pos/copy.txt"}
    assert len(less.index("test")) == len(whole.index("test"))
    assert whole.fingerprint() != less.fingerprint()
    assert less.describe()["notes"] == ["1 training text left out, of which the words are also a test text."]


def write_tables(folder, ending, train, test, **columns):
    for name, rows in (("train", train), ("test", test)):
        table = pd.DataFrame(rows, columns=["text", "label"]).rename(columns=columns)
        file = folder / f"{name}{ending}"
        table.to_csv(file, index=False) if ending == ".csv" else table.to_parquet(file)
    return str(folder)


ROWS = [("Good.", "1"), ('Bad, "very" bad.\nTwo lines.', "0")]


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_texts_are_read_of_tables_with_columns_of_any_name(tmp_path, ending):
    path = write_tables(tmp_path, ending, ROWS, ROWS[:1], text="review", label="stars")
    source = open_source("text_table", path, {"text": "review", "label": "stars"})
    source.check()
    assert source.class_names == ("0", "1")
    assert source.index("train").to_dict("list") == {"image_id": ["train/0", "train/1"], "label": [1, 0]}
    assert dict(source.read(["train/1"])) == {"train/1": ROWS[1][0].encode()}
    assert source.describe()["classes"] == 2


@pytest.mark.parametrize("order", [slice(None, None, -1), slice(1, None)])
def test_rows_of_a_table_are_known_by_their_place_whatever_a_parquet_file_calls_them(tmp_path, order):
    rows = pd.DataFrame([*ROWS, ("So so.", "1")], columns=["text", "label"])[order]
    for split in ("train", "test"):
        rows.to_parquet(tmp_path / f"{split}.parquet")
    source = open_source("text_table", str(tmp_path))
    source.check()
    index = source.index("train")
    found = [(text.decode(), source.class_names[label]) for (_, text), label in
             zip(source.read(index["image_id"]), index["label"], strict=True)]  # fmt: skip
    assert found == list(rows.itertuples(index=False, name=None))


def test_a_text_in_a_table_that_is_not_utf8_is_kept_for_the_check_to_name(tmp_path):
    path = write_tables(tmp_path, ".csv", ROWS, ROWS[:1])
    (tmp_path / "train.csv").write_bytes(b"text,label\ncaf\xe9,1\nBad,0\n")
    source = open_source("text_table", path)
    ((_, text),) = source.read(["train/0"])
    assert source.content.examine(text).error == "byte 0xe9 at position 3 is not UTF-8"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("Good.", "")], r"Row 0 of .*train.csv, counted from 0, has no label in the column 'label', like 1 in all"),
        ([("Good.", "2")], "test.csv has the class '1', which the training texts lack"),
    ],
)
def test_wrong_labels_in_tables_are_named(tmp_path, rows, message):
    path = write_tables(tmp_path, ".csv", rows, ROWS[:1])
    with pytest.raises(UserError, match=message):
        open_source("text_table", path).check()


def test_wrong_tables_are_named(tmp_path):
    with pytest.raises(UserError, match=r"holds neither of train.csv and train.parquet"):
        open_source("text_table", str(tmp_path)).check()
    write_tables(tmp_path, ".csv", ROWS, ROWS)
    with pytest.raises(UserError, match=r"has no column 'review'; it has text, label. Name the columns"):
        open_source("text_table", str(tmp_path), {"text": "review"}).check()
    (tmp_path / "train.parquet").write_bytes(b"none")
    with pytest.raises(UserError, match=r"holds both of train.csv and train.parquet"):
        open_source("text_table", str(tmp_path)).check()
    (tmp_path / "train.csv").unlink()
    with pytest.raises(UserError, match=r"train.parquet cannot be read"):
        open_source("text_table", str(tmp_path)).check()
    with pytest.raises(UserError, match=r"nowhere, which is not a folder that exists"):
        open_source("text_table", str(tmp_path / "nowhere")).check()


def archive_of(folder, target):
    with tarfile.open(target, "w:gz") as archive:
        for file in sorted(folder.rglob("*.txt")):
            archive.add(file, f"aclImdb/{file.relative_to(folder)}")
        about = tarfile.TarInfo("aclImdb/train/unsup/0.txt")
        about.size = 1
        archive.addfile(about, io.BytesIO(b"x"))


def test_the_archive_of_imdb_is_verified_and_unpacked(folder, tmp_path_factory, monkeypatch):
    from hashlib import md5

    target = tmp_path_factory.mktemp("imdb")
    archive_of(folder, target / imdb.ARCHIVE)
    with pytest.raises(UserError, match=r"aclImdb_v1.tar.gz is damaged or incomplete: its MD5 has to be 7c2ac02c"):
        open_source("imdb", str(target)).check()
    monkeypatch.setattr(imdb, "MD5", md5((target / imdb.ARCHIVE).read_bytes()).hexdigest())
    source = open_source("imdb", str(target))
    source.check()
    assert source.index("train")["image_id"].tolist()[0].endswith("train/neg/0.txt")
    assert not list(target.glob("**/unsup"))


def test_without_network_and_folder_it_is_said_what_to_put_where(tmp_path, monkeypatch):
    monkeypatch.setattr(imdb, "URL", "http://127.0.0.1:9/none")
    with pytest.raises(
        UserError, match=rf"not in {tmp_path} and could not be downloaded.*Put aclImdb_v1.tar.gz or its folders"
    ):
        open_source("imdb", str(tmp_path)).check()
