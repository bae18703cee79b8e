import socket
from contextlib import ExitStack

import pytest
from tests.factories.processes import wait_until
from tests.factories.streaming import landed_rows, make_receiver, make_stream, receiving, sent_rows, serving

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.streaming.connection import Patience
from cifar_pipelines.streaming.journal import commit, read_journal
from cifar_pipelines.streaming.receiver import Receiver, read_address


def test_a_server_that_stays_away_is_one_sentence(folder):
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    said = []
    with pytest.raises(
        UserError, match=rf"127.0.0.1:{port} was away for 0.2 s: it cannot be reached.*Start `kedro stream serve`"
    ):
        make_receiver(folder, port, patience=Patience(retry=0.01, away=0.2), said=said).run()
    assert sum("Trying again" in line for line in said) == 1


def test_a_name_that_is_no_host_s_is_one_sentence_at_once(folder):
    receiver = Receiver([("lab..host", 6100)], folder, 10, None, Patience(), [].append)
    with pytest.raises(UserError, match=r"lab..host:6100 names no host"):
        receiver.run()


def test_several_producers_land_in_one_order(folder):
    streams = [make_stream(40, name="first"), make_stream(22, name="second", seed=2)]
    with serving(streams[0]) as one, serving(streams[1]) as other:
        make_receiver(folder, one.port, other.port).run()
    rows = landed_rows(folder)
    numbers = list(dict.fromkeys(row["sequence"] for row in rows))
    assert numbers == list(range(1, 17))
    for stream in streams:
        landed = [row for row in rows if row["producer"] == stream.name]
        wanted = sent_rows(stream)
        assert [row | {"sequence": 0} for row in landed] == [row | {"sequence": 0} for row in wanted]


def test_a_receiver_of_two_goes_on_when_one_of_them_has_ended_and_is_gone(folder):
    ended, slow = make_stream(8, name="first"), make_stream(40, name="second")
    patience = Patience(greeting=1, heartbeat=0.05, silence=0.5, retry=0.01, away=0.3)
    with serving(slow) as other:
        with (
            serving(ended) as one,
            receiving(folder, one.port, other.port, backlog=4) as receiver,
        ):  # which is stopped while the second one waits for room
            assert wait_until(lambda: (said := read_journal(folder).producers.get("first")) and said.ended, 5)
            assert wait_until(lambda: read_journal(folder).landed == 4, 5)
        assert receiver.failure is None and not read_journal(folder).ended
        with receiving(folder, one.port, other.port, backlog=4, patience=patience) as again:
            assert not wait_until(lambda: again.failure, 0.6)  # longer than a server may be away
            assert wait_until(lambda: commit(folder, read_journal(folder).landed) or not again.thread.is_alive(), 5)
    assert again.failure is None and read_journal(folder).ended
    assert [row["producer"] for row in landed_rows(folder)].count("second") == 40


def test_producers_of_the_same_name_are_refused(folder):
    with (
        serving(make_stream(40)) as one,
        serving(make_stream(40)) as other,
        pytest.raises(UserError, match=r"sends as 'memory', as another server does. Give each its own --name"),
    ):
        make_receiver(folder, one.port, other.port, backlog=4).run()


def test_a_server_that_sends_something_else_than_before_is_refused(folder):
    with serving(make_stream()) as server:
        make_receiver(folder, server.port).run()
    with (
        serving(make_stream(seed=2)) as server,
        pytest.raises(UserError, match=r"has sent 3 frames of another stream into .* Serve those again"),
    ):
        make_receiver(folder, server.port).run()


def test_a_server_that_comes_back_under_another_name_is_refused(folder):
    patience = Patience(greeting=1, heartbeat=0.05, silence=0.5, retry=0.01, away=5)
    first = ExitStack()
    server = first.enter_context(serving(make_stream(40)))
    with receiving(folder, server.port, backlog=4, patience=patience) as receiver:
        assert wait_until(lambda: read_journal(folder).landed == 4, 5)
        first.close()
        with serving(make_stream(40, name="other"), port=server.port):
            assert wait_until(lambda: receiver.failure, 5)
    assert "now sends as 'other', but 'memory' had not ended there. Serve that one again" in str(receiver.failure)


@pytest.mark.parametrize("text", ["6100", "host:", ":6100", "host:0", "host:70000", "host:port"])
def test_an_address_that_is_none_is_refused(text):
    with pytest.raises(UserError, match="is not <host>:<port>"):
        read_address(text)


def test_addresses_are_read():
    assert read_address("127.0.0.1:6100") == ("127.0.0.1", 6100)
    assert read_address("[::1]:6100") == ("::1", 6100)
    with pytest.raises(UserError, match="each once"):
        make_receiver("x", 6100, 6100)
