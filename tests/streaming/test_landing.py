import errno
import json
import os
import shutil

import pyarrow.parquet as pq
import pytest
from tests.factories.streaming import frames_in, landed_rows, make_stream, sent_rows

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.tables import FRAMES
from cifar_pipelines.streaming import journal, landing
from cifar_pipelines.streaming.journal import JOURNAL, Journal, commit, committed, read_journal
from cifar_pipelines.streaming.landing import LEARNED, Landing, frame_file
from cifar_pipelines.streaming.wire import Frame, WireError

STREAM = make_stream()


def frame(number, stream=STREAM):
    return Frame(number, stream.epoch_of(number), 1.0, 2.0, tuple(stream.read(number)))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "landing"


@pytest.fixture
def opened(folder):
    with open_landing(folder) as opened:
        yield opened


def open_landing(folder, max_backlog=8, *servers):
    return Landing(folder, max_backlog, servers or ["a:1"])


def admit(opened, name="memory", address="a:1"):
    said = {"digest": STREAM.digest, "classes": ["cat", "dog"], "scenario": {"label_delay": 5}}
    return opened.admit(name, said, address)


def land(opened, *numbers):
    return [opened.land("memory", frame(number)) for number in numbers]


class KilledError(BaseException):
    """What a process does not live to see."""


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


@pytest.mark.parametrize("step", ["write_durably", "write"])
def test_a_receiver_that_is_killed_while_it_lands_loses_and_doubles_nothing(folder, monkeypatch, step):
    with open_landing(folder) as opened:
        admit(opened)
        land(opened, 1)
        with monkeypatch.context() as patch, pytest.raises(KilledError):
            # With "write" the file is there, but the journal does not have it.
            patch.setattr(Journal if step == "write" else landing, step, raise_killed)
            land(opened, 2)
    with open_landing(folder) as opened:
        assert admit(opened) == (2 if step == "write" else 1)
        land(opened, 2, 3)
    assert landed_rows(folder) == sent_rows(STREAM)


def raise_killed(*_):
    raise KilledError


def test_a_file_that_was_half_written_is_removed(folder):
    folder.mkdir()
    (folder / ".0000000001.parquet.17.partial").write_bytes(b"PAR1")
    with open_landing(folder) as opened:
        admit(opened)
        land(opened, 1)
    assert not list(folder.glob(".*"))


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


def test_the_journal_says_who_has_sent_what_and_whether_all_have_ended(folder, opened):
    admit(opened)
    land(opened, 1, 2)
    assert not read_journal(folder).ended
    with pytest.raises(WireError, match="ended with frame 3, but 2 was the last one"):
        opened.end("memory", 3)
    land(opened, 3)
    opened.end("memory", 3)
    said = read_journal(folder)
    assert (said.landed, said.ended, said.producers["memory"].classes) == (3, True, ["cat", "dog"])
    assert said.producers["memory"].scenario == {"label_delay": 5}
    opened.land("memory", Frame(4, 1, 1.0, 1.0, frame(1).images))
    assert not read_journal(folder).ended


def test_a_stream_has_ended_when_one_came_from_every_server_that_is_followed(folder):
    with open_landing(folder, 8, "a:1", "b:2") as opened:
        admit(opened)
        land(opened, 1)
        opened.end("memory", 1)
        assert not read_journal(folder).ended
        assert opened.ended_at("a:1") and not opened.ended_at("b:2")
        admit(opened, "other", "b:2")
        assert not opened.ended_at("b:2")
        opened.end("other", 0)
        assert read_journal(folder).ended and opened.ended_at("b:2")
    with open_landing(folder, 8, "c:3"):
        assert not read_journal(folder).ended
    assert read_journal(folder).ended  # nobody was met there
    with open_landing(folder, 8, "c:3") as opened:
        admit(opened, "third", "c:3")
    assert not read_journal(folder).ended
    with open_landing(folder, 8, "c:3") as opened:
        opened.end("third", 0)
    with open_landing(folder, 8, "b:2"):
        assert read_journal(folder).ended


@pytest.mark.parametrize(("followed", "ended"), [([], True), (["a:1"], True), (["a:1", "b:2"], False)])
def test_a_journal_that_does_not_say_where_producers_were_has_ended_by_their_number(folder, opened, followed, ended):
    admit(opened)
    said = json.loads((folder / JOURNAL).read_text())
    del said["followed"], said["producers"]["memory"]["address"]
    said["producers"]["memory"]["ended"] = True
    (folder / JOURNAL).write_text(json.dumps(said))
    older = read_journal(folder)
    assert older.followed == []
    older.followed = followed
    assert older.ended == older.ended_at("a:1") == ended


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


def test_a_folder_that_is_not_whole_is_refused(folder):
    with open_landing(folder) as opened:
        admit(opened)
        land(opened, 1, 2)

    def broken(change):
        copy = folder.with_name(change.__name__)
        shutil.copytree(folder, copy)
        change(copy)
        with pytest.raises(UserError) as error:
            open_landing(copy)
        return error.value.message

    def without_a_frame(copy):
        frame_file(copy, 1).unlink()

    def without_journal(copy):
        (copy / journal.JOURNAL).unlink()

    def damaged_journal(copy):
        (copy / journal.JOURNAL).write_text("{")

    def foreign_journal(copy):
        (copy / journal.JOURNAL).write_text('{"landed": 2}')

    def foreign_frame(copy):
        frame_file(copy, 1).write_bytes(b"no table")

    def learned_from_more(copy):
        commit(copy, 3)

    def foreign_mark(copy):
        (copy / journal.COMMITTED).write_text('{"committed": "all"}')

    assert "0000000001.parquet is missing, and nothing has learned from it yet" in broken(without_a_frame)
    assert "knows no 'memory' that could have sent it" in broken(without_journal)
    for change in (damaged_journal, foreign_journal, foreign_mark):
        assert "is not as the project writes it" in broken(change)
    assert "is no landed frame" in broken(foreign_frame)
    assert "learned from up to frame 3, but only 2 have landed" in broken(learned_from_more)


def test_a_frame_that_was_learned_from_before_the_journal_had_it_is_known(folder, monkeypatch):
    with open_landing(folder) as opened:
        admit(opened)
        with monkeypatch.context() as patch, pytest.raises(KilledError):
            patch.setattr(Journal, "write", raise_killed)
            land(opened, 1)
    commit(folder, 1)
    (folder / LEARNED).mkdir()
    frame_file(folder, 1).rename(frame_file(folder / LEARNED, 1))
    with open_landing(folder) as opened:
        assert (admit(opened), opened.waiting()) == (1, 0)
        assert land(opened, 1, 2) == [False, True]
    assert frames_in(folder) == ["0000000002.parquet"]


def test_frames_that_were_learned_from_may_be_taken_away(folder):
    with open_landing(folder) as opened:
        admit(opened)
        land(opened, 1, 2)
    commit(folder, 2)
    for number in (1, 2):
        frame_file(folder, number).unlink()
    with open_landing(folder) as opened:
        assert admit(opened) == 2
        land(opened, 3)
    assert frames_in(folder) == ["0000000003.parquet"]
