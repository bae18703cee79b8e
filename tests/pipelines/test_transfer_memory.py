"""How much memory a transfer takes: what is told, and what is refused, before Spark starts and before anything is trained."""

from collections import namedtuple
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from tests.factories.training import write_images
from tests.factories.transfer import HEAD, LAST
from tests.pipelines.test_transfer_specification import PARAMETERS, TINY, specify

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.families import families
from cifar_pipelines.pipelines.transfer import memory, nodes
from cifar_pipelines.pipelines.transfer.memory import check_memory, room_for_features, settle_loader
from cifar_pipelines.spark.setting import ParallelismSetting
from cifar_pipelines.training import loading

RUN = SimpleNamespace(run_id="this", setting=ParallelismSetting(2, 1, "1g"))


def leave_free(mebibytes, monkeypatch):
    usage = psutil.virtual_memory()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: usage._replace(available=mebibytes * 2**20))


def share(free, monkeypatch):
    usage = namedtuple("Usage", "total used free")
    monkeypatch.setattr(loading, "SHARED_MEMORY", Path(__file__).parent)
    monkeypatch.setattr(loading.shutil, "disk_usage", lambda path: usage(0, 0, free))


@pytest.fixture
def files(tmp_path):
    return write_images(tmp_path, 24, 6, size=20, classes=3)


def test_the_memory_of_images_is_told_and_refused_where_it_cannot_suffice(files, monkeypatch, caplog):
    caplog.set_level("INFO")
    assert settle_loader(specify(), files, ("test", 6), 1) == "memory"
    assert "images take 0 MiB of memory with loader memory" in caplog.text
    leave_free(1000, monkeypatch)
    monkeypatch.setattr(memory, "_sizes", lambda *_: (700 * 2**20, 70 * 2**20))
    assert settle_loader(specify(phases=[LAST]), files, ("test", 6), 1) == "workers:2"
    words = (
        r"images of tiny_torch_distributor take 700 MiB of memory with loader memory, and 600 MiB are free.*train_size"
    )
    with pytest.raises(UserError, match=words):
        settle_loader(specify(loader="memory"), files, ("test", 6), 1)


def test_batches_of_validation_count_in_the_memory_that_loaders_share(files, monkeypatch):
    share(2**19, monkeypatch)
    spec = specify(phases=[LAST], loader="workers:2")
    assert settle_loader(spec, files, ("test", 6), 1) == "workers:2"
    assert settle_loader(spec, files, ("test", 100), 1) == "workers:2"
    with pytest.raises(UserError, match="2 processes of the loader hand over up to 1 MiB there"):
        settle_loader(spec, files, ("test", 1000), 1)


def test_stored_features_need_no_images_in_memory(files):
    assert settle_loader(specify(phases=[HEAD]), files, ("test", 6), 1) == "memory"


def test_stored_features_that_cannot_fit_are_refused_before_spark_starts(monkeypatch):
    parameters = deepcopy(PARAMETERS)
    block = {"models": {"tiny": TINY | {"views": 2}}, "selected": ["tiny"], "engines": ["local"], "device": "cpu"}
    parameters["transfer"] |= block
    parameters["subset"]["train_size"] = 100_000
    setting = ParallelismSetting(2, 1, "1g")
    leave_free(586, monkeypatch)  # three times 100,000 images of two vectors of 256 numbers of 4 bytes are 585.9
    families()["transfer"].check(parameters, setting)
    leave_free(585, monkeypatch)
    words = r"tiny_local take 586 MiB .*200,000 vectors of 256 numbers, 3 times .* and 585 MiB are free.*views: 1"
    with pytest.raises(UserError, match=words):
        families()["transfer"].check(parameters, setting)
    parameters["subset"]["train_size"] = "all"  # known when the images are there
    families()["transfer"].check(parameters, setting)


def test_stored_features_of_all_images_are_told_and_refused_when_the_images_are_there(monkeypatch, tmp_path, caplog):
    caplog.set_level("INFO")
    info = {"train_size": 100_000, "validation_size": 0, "test_size": 5_000, "class_names": ["a", "b", "c"]}
    spec = replace(specify(views=2), validation_images=1_000)
    leave_free(592, monkeypatch)
    with pytest.raises(KeyError, match="fingerprint"):  # what comes after it, and is not asked here
        nodes.check_checkpoint(spec, tmp_path, info, 42, RUN)
    assert "tiny_torch_distributor: stored features take 592 MiB of memory" in caplog.text
    leave_free(591, monkeypatch)
    with pytest.raises(UserError, match=r"take 592 MiB of memory .*202,000 vectors of 256 numbers"):
        nodes.check_checkpoint(spec, tmp_path, info, 42, RUN)


def test_only_a_head_that_is_solved_needs_further_copies_of_stored_features():
    phases = {"phases": [HEAD]}
    assert room_for_features(specify(**phases), 2**20) == 3 * room_for_features(
        specify(head_start="zeros", **phases), 2**20
    )
    assert room_for_features(specify(head_start="zeros"), 2**20) == 0


def test_what_loaders_share_is_known_before_spark_starts(monkeypatch):
    share(2**14, monkeypatch)
    check_memory(specify(), "all", 1)
    with pytest.raises(UserError, match="2 processes of the loader hand over"):
        check_memory(specify(loader="workers:2"), "all", 1)


def test_how_much_memory_images_may_take_is_said_before_spark_starts(monkeypatch, caplog):
    leave_free(1000, monkeypatch)
    caplog.set_level("INFO", "cifar_pipelines.pipelines.transfer")
    spec = specify(loader="memory", head_start="zeros")

    def said(spec, images):
        check_memory(spec, images, 1)
        return caplog.records[-1].levelname, caplog.records[-1].getMessage()

    check_memory(spec, 10_000, 1)
    assert "up to" not in caplog.text
    level, words = said(spec, 200_000)
    assert level == "INFO"
    assert words.endswith("take up to 146 MiB of memory with loader memory, and 600 MiB are free for them.")
    level, words = said(specify(loader="auto", head_start="zeros"), 1_000_000)
    assert level == "INFO" and "whether they fit is known when" in words
    level, words = said(spec, 1_000_000)
    assert (
        level == "WARNING"
        and "images of 16 px take up to 732 MiB of memory with loader memory, and 600 MiB are free" in words
    )


def test_only_the_test_images_that_draw_the_curve_count(files):
    sizes = {most: memory._sizes(specify(), files, ("test", most)) for most in (0, 1, 2, 6, 1000)}
    of_one = sizes[1][0] - sizes[0][0]
    assert of_one > 0
    assert [sizes[most][0] - sizes[0][0] for most in (2, 6, 1000)] == [2 * of_one, 6 * of_one, 6 * of_one]
