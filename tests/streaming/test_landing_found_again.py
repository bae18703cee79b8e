import shutil

import pytest
from tests.factories.landing import STREAM, admit, land, open_landing
from tests.factories.streaming import frames_in, landed_rows, sent_rows

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.streaming import journal, landing
from cifar_pipelines.streaming.journal import Journal, commit
from cifar_pipelines.streaming.landing import LEARNED, frame_file


class KilledError(BaseException):
    """What a process does not live to see."""


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
