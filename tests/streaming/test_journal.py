import json

import pytest
from tests.factories.landing import admit, frame, land, open_landing

from cifar_pipelines.streaming.journal import JOURNAL, read_journal
from cifar_pipelines.streaming.wire import Frame, WireError


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
