import errno
import os

import pyarrow.parquet as pq
import pytest
from tests.factories.landing import STREAM, admit, frame, land, open_landing
from tests.factories.streaming import frames_in, landed_rows, make_stream, sent_rows

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.tables import FRAMES
from cifar_pipelines.streaming import landing
from cifar_pipelines.streaming.journal import commit, committed
from cifar_pipelines.streaming.landing import frame_file
from cifar_pipelines.streaming.wire import WireError


def test_frames_land_as_tables_with_what_was_sent(folder, opened):
    assert admit(opened) == 0
    assert land(opened, 1, 2, 3) == [True] * 3
    assert landed_rows(folder) == sent_rows(STREAM)
    assert frames_in(folder) == [f"000000000{number}.parquet" for number in (1, 2, 3)]
    schema = pq.read_schema(frame_file(folder, 1)).remove_metadata()
    assert schema == FRAMES.arrow
    assert schema.names[:5] == ["sequence", "image_id", "label", "image", "sent_at"]


def test_a_reader_of_the_folder_sees_frames_alone(folder, opened):
    admit(opened)
    land(opened, 1)
    commit(folder, 1)
    assert pq.read_table(folder).num_rows == 4
    assert [file.name for file in folder.iterdir() if file.name[0] not in "_."] == ["0000000001.parquet"]


def test_a_frame_that_comes_again_is_dropped_and_one_that_comes_too_soon_refused(folder, opened):
    admit(opened)
    assert land(opened, 1, 1, 2, 1) == [True, False, True, False]
    opened.land("memory", frame(3))
    with pytest.raises(WireError, match="frame 5 came where 4 has to come"):
        opened.land("memory", frame(5))
    assert len(frames_in(folder)) == 3


def test_times_of_change_rise_even_when_the_clock_is_set_back(folder, monkeypatch):
    for start in (2_000_000_000.0, 1_000_000_000.0):
        monkeypatch.setattr(landing.time, "time", lambda start=start: start)
        with open_landing(folder) as opened:
            after = admit(opened)
            land(opened, after + 1)
            opened.land("memory", frame(after + 2, make_stream(20)))
    times = [(folder / name).stat().st_mtime_ns // 1_000_000 for name in frames_in(folder)]
    assert times == [2_000_000_000_000 + number for number in range(4)]


def test_room_is_for_frames_that_are_not_learned_from(folder):
    with open_landing(folder, max_backlog=2) as opened:
        admit(opened)
        assert opened.until("memory") == 2
        land(opened, 1, 2)
        assert (opened.until("memory"), opened.waiting()) == (2, 2)
        commit(folder, 1)
        assert (opened.until("memory"), opened.waiting()) == (3, 1)
    with open_landing(folder, max_backlog=2) as opened:
        admit(opened)
        assert opened.until("memory") == 3
    commit(folder, 2)
    assert committed(folder) == 2


def test_producers_share_the_room_and_the_numbers(folder):
    with open_landing(folder, 5, "a:1", "b:2") as opened:
        for name in ("a", "b"):
            admit(opened, name)
        for name, number in (("a", 1), ("b", 1), ("a", 2)):
            opened.land(name, frame(number))
        assert (opened.until("a"), opened.until("b")) == (2, 2)
    found = [(row["sequence"], row["producer"], row["producer_sequence"]) for row in landed_rows(folder)]
    assert list(dict.fromkeys(found)) == [(1, "a", 1), (2, "b", 1), (3, "a", 2)]
    with pytest.raises(UserError, match="The backlog is 1, but every one of 2 producers needs room"):
        open_landing(folder, 1, "a:1", "b:2")


def test_another_stream_by_the_same_name_is_refused(folder, opened):
    admit(opened)
    land(opened, 1)
    with pytest.raises(UserError, match="'memory' has sent 1 frames of another stream"):
        opened.admit("memory", {"digest": "another"}, "a:1")


def test_a_folder_has_one_receiver(folder, opened):
    with pytest.raises(UserError, match="in use by another receiver"):
        open_landing(folder)


def test_a_full_disk_is_one_sentence_and_what_has_landed_stays(folder, opened, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device", str(folder))

    admit(opened)
    land(opened, 1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(UserError, match=r"cannot be written: No space left on device. Free some space"):
            land(opened, 2)
    assert frames_in(folder) == ["0000000001.parquet"]
    assert land(opened, 1, 2) == [False, True]


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path, monkeypatch):
    def closed(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "x"))

    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file, but frames land in a folder"):
        open_landing(tmp_path / "file")
    monkeypatch.setattr(landing.Path, "mkdir", closed)
    with pytest.raises(UserError, match="x is closed to this user: Permission denied"):
        open_landing(tmp_path / "x")
