import hashlib
import io
import pickle
import tarfile
from urllib.error import URLError

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torchvision")
from torchvision.datasets import CIFAR10, cifar

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.sources import cifar10, open_source

ROWS = 4


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """A small archive with CIFAR-10's layout, whose checksums torchvision believes in; no network."""
    random = np.random.default_rng(0)
    files = {"batches.meta": {"label_names": list(cifar10.Cifar10Source.class_names)}}
    for name in [name for name, _ in CIFAR10.train_list + CIFAR10.test_list]:
        pixels = random.integers(0, 256, (ROWS, 3072), dtype=np.uint8)
        files[name] = {"data": pixels, "labels": [3, 1, 4, 1]}
    md5 = {}
    path = tmp_path / "made.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            data = pickle.dumps(content)
            md5[name] = hashlib.md5(data).hexdigest()
            info = tarfile.TarInfo(f"{CIFAR10.base_folder}/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    monkeypatch.setattr(CIFAR10, "train_list", [[name, md5[name]] for name, _ in CIFAR10.train_list])
    monkeypatch.setattr(CIFAR10, "test_list", [[name, md5[name]] for name, _ in CIFAR10.test_list])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": md5["batches.meta"]})
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(path.read_bytes()).hexdigest())

    def offline(*args, **kwargs):
        raise URLError("Name or service not known")

    monkeypatch.setattr("torchvision.datasets.utils._urlretrieve", offline)
    cifar10._arrays.cache_clear()
    yield path.read_bytes()
    cifar10._arrays.cache_clear()


@pytest.fixture
def source(tmp_path):
    return open_source("cifar10", str(tmp_path / "cifar10"))


@pytest.fixture
def filled(source, archive):
    source.path.mkdir()
    (source.path / cifar10.ARCHIVE).write_bytes(archive)
    return source


def test_unpacks_an_archive_that_was_put_there(filled):
    filled.check()
    index = filled.index("train")
    assert len(index) == 5 * ROWS
    assert index["image_id"].tolist()[:2] == ["train/00000", "train/00001"]
    assert index["label"].tolist()[:4] == [3, 1, 4, 1]
    assert index["label"].dtype == "int64"
    assert filled.class_names[3] == "cat"
    (filled.path / cifar10.ARCHIVE).unlink()
    filled.check()  # the batches suffice


def test_reads_png(filled):
    filled.check()
    copy = pickle.loads(pickle.dumps(filled))
    read = dict(copy.read(["test/00002", "train/00007"]))
    assert list(read) == ["test/00002", "train/00007"]
    with Image.open(io.BytesIO(read["train/00007"])) as image:
        assert image.format == "PNG"
        assert np.array_equal(np.asarray(image), CIFAR10(filled.path, train=True).data[7])


def test_no_network(source, archive):
    assert not source.exists()
    with pytest.raises(UserError) as error:
        source.check()
    for part in (
        "could not be downloaded",
        "Name or service not known",
        f"Put {cifar10.ARCHIVE} into that folder",
        "--params source=synthetic",
        "source=image_folder,source_path=",
    ):
        assert part in str(error.value)


def test_damaged_archive(filled):
    (filled.path / cifar10.ARCHIVE).write_bytes(b"half a download")
    with pytest.raises(UserError, match=rf"{cifar10.ARCHIVE} is damaged.*MD5 has to be.*Delete it and run"):
        filled.check()


def test_damaged_batch(filled):
    filled.check()
    (filled.path / CIFAR10.base_folder / "data_batch_3").write_bytes(b"half a file")
    with pytest.raises(UserError, match=r"data_batch_3 is damaged.*MD5 has to be.*Delete it and run"):
        filled.check()
    (filled.path / CIFAR10.base_folder / "data_batch_3").unlink()
    filled.check()  # the remedy works


def test_damaged_download(source, archive, monkeypatch):
    def download(*args, **kwargs):
        raise RuntimeError("File not found or corrupted.")

    monkeypatch.setattr(cifar, "download_and_extract_archive", download)
    with pytest.raises(UserError, match=rf"{cifar10.ARCHIVE} is damaged"):
        source.check()


def test_a_worker_without_the_data(source, archive):
    with pytest.raises(UserError, match="Every machine that reads images needs that folder"):
        list(source.read(["test/00000"]))


def test_identity(source):
    assert source.fingerprint() == open_source("cifar10").fingerprint()
    assert len(source.fingerprint()) == 64
    assert source.describe()["path"] == str(source.path)
    assert open_source("cifar10").path.is_absolute()
