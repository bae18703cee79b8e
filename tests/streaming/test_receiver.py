import errno
import socket
import threading
from contextlib import ExitStack
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.factories.processes import wait_until
from tests.factories.streaming import (
    SECRET,
    Network,
    frames_in,
    landed_rows,
    make_receiver,
    make_stream,
    receiving,
    sent_rows,
    serving,
    shut,
)

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.streaming import landing, receiver
from cifar_pipelines.streaming.connection import Patience
from cifar_pipelines.streaming.journal import commit, read_journal
from cifar_pipelines.streaming.landing import Landing
from cifar_pipelines.streaming.pace import Pace
from cifar_pipelines.streaming.receiver import Receiver, read_address
from cifar_pipelines.streaming.wire import encode, sealed


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "landing"


@pytest.mark.parametrize("images", [10, 8])
def test_a_whole_stream_lands_once_and_both_sides_end(folder, images):
    said = []
    with serving(make_stream(images, epochs=2), said=said) as server:
        make_receiver(folder, server.port).run()
        server.thread.join(5)
        assert not server.thread.is_alive() and server.failure is None
    assert landed_rows(folder) == sent_rows(make_stream(images, epochs=2))
    assert read_journal(folder).ended
    assert any("keeps all" in words and words.endswith("frames.") for words in said)


def test_a_receiver_that_comes_again_when_all_has_landed_ends_even_without_a_server(folder):
    with serving(make_stream()) as server:
        make_receiver(folder, server.port).run()
    make_receiver(folder, server.port).run()
    with serving(make_stream(epochs=2)) as server:
        make_receiver(folder, server.port).run()
    assert landed_rows(folder) == sent_rows(make_stream(epochs=2))


def test_a_full_backlog_stops_the_sender_until_the_learner_has_learned(folder):
    stream = make_stream(40)
    with serving(stream) as server, receiving(folder, server.port, backlog=3) as receiver:
        assert wait_until(lambda: len(frames_in(folder)) == 3, 5)
        assert not wait_until(lambda: len(frames_in(folder)) > 3, 0.8)  # longer than it may be silent
        waiting = [(4, "credit: the client has no room")]
        assert wait_until(lambda: [(one._next, one.waits_for) for one in list(server._sessions)] == waiting, 5)
        for learned in range(1, 8):
            commit(folder, learned)
            assert wait_until(lambda learned=learned: len(frames_in(folder)) == min(learned + 3, 10), 5)
        receiver.thread.join(5)
        assert receiver.failure is None
    assert landed_rows(folder) == sent_rows(stream)


def test_an_endless_stream_ends_when_its_server_comes_back_with_an_end(folder):
    with serving(make_stream(epochs=None)) as server, receiving(folder, server.port, backlog=4) as receiver:
        assert wait_until(lambda: len(frames_in(folder)) == 4, 5)
        server.stop()
        server.thread.join(5)
        server._socket.close()
        with serving(make_stream(epochs=3), port=server.port):
            assert wait_until(lambda: commit(folder, read_journal(folder).landed) or not receiver.thread.is_alive(), 10)
        assert receiver.failure is None and read_journal(folder).ended
    assert landed_rows(folder) == sent_rows(make_stream(epochs=3))


def test_a_stream_that_pauses_for_longer_than_its_server_may_be_silent_or_away_goes_on(folder):
    patience = Patience(greeting=1, heartbeat=0.05, silence=0.2, retry=0.01, away=0.3)
    with (
        serving(make_stream(12), pace=Pace(interval=0.7), patience=patience) as server,
        receiving(folder, server.port, patience=patience) as receiver,
    ):
        receiver.thread.join(10)
        assert receiver.failure is None and read_journal(folder).ended
    assert landed_rows(folder) == sent_rows(make_stream(12))


def test_a_server_that_is_killed_and_started_again_goes_on(folder):
    stream = make_stream(40)
    with serving(stream) as server, receiving(folder, server.port, backlog=4) as receiver:
        assert wait_until(lambda: len(frames_in(folder)) == 4, 5)
        server.stop()
        server.thread.join(5)
        server._socket.close()
        commit(folder, 4)
        with serving(make_stream(40), port=server.port):
            assert wait_until(lambda: len(frames_in(folder)) == 8, 5)
            commit(folder, 8)
            receiver.thread.join(5)
            assert receiver.failure is None and not receiver.thread.is_alive()
    assert landed_rows(folder) == sent_rows(stream)


def test_a_receiver_that_is_killed_between_landing_and_acknowledging_loses_and_doubles_nothing(folder, monkeypatch):
    land, deaths = Landing.land, [2, 5]

    def land_and_die(self, name, frame):
        land(self, name, frame)
        if frame.number in deaths:
            deaths.remove(frame.number)
            raise RuntimeError("killed")

    monkeypatch.setattr(Landing, "land", land_and_die)
    stream = make_stream(40)
    with serving(stream) as server:
        for _ in range(2):
            with pytest.raises(RuntimeError, match="killed"):
                make_receiver(folder, server.port).run()
        make_receiver(folder, server.port).run()
    assert landed_rows(folder) == sent_rows(stream)


STREAM = make_stream(9, batch_size=2, epochs=2, size=20)
WIRE = 4000  # bytes, about what the whole stream has on the wire
fault = st.tuples(
    st.none() | st.integers(0, WIRE), st.sampled_from([1, 7, 64, 2**16]), st.none() | st.integers(0, WIRE)
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(fault, max_size=4), st.lists(st.integers(1, 8), max_size=2))
def test_whatever_breaks_the_same_frames_land(tmp_path_factory, faults, deaths):
    folder = tmp_path_factory.mktemp("landing")
    deaths, land = list(deaths), Landing.land

    def land_and_die(self, name, frame):
        land(self, name, frame)
        if deaths and frame.number >= deaths[0]:
            deaths.pop(0)
            raise RuntimeError("killed")

    with serving(STREAM) as server, Network(server.port, faults) as network, pytest.MonkeyPatch.context() as patch:
        patch.setattr(Landing, "land", land_and_die)
        while not read_journal(folder).ended:
            try:
                make_receiver(folder, network.port).run()
            except RuntimeError:
                continue
            except UserError as error:  # changed bytes in a row, as people would see it, who try again
                assert "3 times in a row" in error.message
    assert landed_rows(folder) == sent_rows(STREAM)


def test_a_damaged_frame_is_refused_and_asked_for_again(folder):
    said, heard = [], []
    with serving(make_stream(), said=said) as server, Network(server.port, [(None, 100, 1000)]) as network:
        make_receiver(folder, network.port, said=heard).run()
        assert network.connections == 2
    assert landed_rows(folder) == sent_rows(make_stream())
    assert any("refused" in line and "is asked for again" in line for line in heard)
    assert any("it refused frame" in line for line in said)


def test_a_frame_that_is_damaged_every_time_is_one_sentence(folder):
    with (
        serving(make_stream()) as server,
        Network(server.port, [(None, 100, 500)] * 9) as network,
        pytest.raises(UserError, match="sent what cannot be taken, 3 times in a row"),
    ):
        make_receiver(folder, network.port).run()
    assert frames_in(folder) == []


class FakeServer:
    """Says what it is told to say, to every client anew."""

    def __init__(self, *words, keeps_open=False):
        self._words, self._keeps_open = words, keeps_open
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.heard = []

    def __enter__(self):
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        shut(self._socket)

    def _serve(self):
        while True:
            try:
                client = self._socket.accept()[0]
                client.sendall(b"".join(self._words))
                while chunk := client.recv(4096):
                    self.heard.append(chunk)
                    if not self._keeps_open:
                        client.settimeout(0.1)
                client.close()
            except TimeoutError:
                client.close()
            except OSError:
                if self._socket.fileno() < 0:
                    return


HELLO = sealed({"hello": "cifar-stream 1"})
FACTS = {"stream": "memory", "digest": "d", "frames": 3, "classes": ["cat", "dog"], "images": 10, "batch_size": 4}


def frame(number):
    from tests.streaming.test_landing import frame

    return encode(frame(number))


def test_a_gap_is_refused(folder):
    with (
        FakeServer(HELLO, sealed(FACTS), frame(1), frame(3)) as server,
        pytest.raises(UserError, match="3 times in a row: frame 3 came where 2 has to come"),
    ):
        make_receiver(folder, server.port).run()
    assert frames_in(folder) == ["0000000001.parquet"]
    assert b'{"refused": 2, "because": "frame 3 came where 2 has to come"}' in b"".join(server.heard)


def test_what_is_sent_twice_lands_once(folder):
    words = [HELLO, sealed(FACTS), *map(frame, (1, 1, 2, 1, 3)), sealed({"end_of_stream": 3})]
    with FakeServer(*words, keeps_open=True) as server:
        make_receiver(folder, server.port).run()
    assert landed_rows(folder) == sent_rows(make_stream())


def test_an_end_that_comes_too_soon_is_refused(folder):
    with (
        FakeServer(HELLO, sealed(FACTS), frame(1), sealed({"end_of_stream": 3})) as server,
        pytest.raises(UserError, match="the stream ended with frame 3, but 1 was the last one that came"),
    ):
        make_receiver(folder, server.port).run()
    assert not read_journal(folder).ended


def test_what_is_no_server_of_ours_is_one_sentence(folder):
    for words, reason in (
        ([b"SSH-2.0-OpenSSH_9.2\n"], "'SSH-2.0-OpenSSH_9.2' is not a line of JSON"),
        ([sealed({"hello": "other"})], "must greet with 'cifar-stream 1'"),
    ):
        with FakeServer(*words) as server, pytest.raises(UserError, match=f"{reason}.*Is it a `kedro stream serve`"):
            make_receiver(folder, server.port).run()


def test_a_server_that_falls_silent_is_left_and_tried_again(folder):
    said = []
    patience = Patience(greeting=0.3, heartbeat=0.05, silence=0.2, retry=0.01, away=0.6)
    with (
        FakeServer(HELLO, sealed(FACTS), frame(1), keeps_open=True) as server,
        receiving(folder, server.port, patience=patience, said=said),
    ):
        assert wait_until(lambda: any("it was silent for 0.2 s" in line for line in said), 5)
    patience = Patience(greeting=0.1, retry=0.01, away=0.3)
    with (
        FakeServer(keeps_open=True) as server,
        pytest.raises(UserError, match=r"was away for 0.3 s: it is gone: it did not introduce itself within 0.1 s"),
    ):
        make_receiver(folder, server.port, patience=patience).run()


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


def test_a_full_disk_ends_the_receiver_with_one_sentence_and_it_goes_on_later(folder, monkeypatch):
    write = landing.write_durably

    def full(file, *content):
        if file.name == "0000000002.parquet":
            raise OSError(errno.ENOSPC, "No space left on device", str(file))
        write(file, *content)

    with serving(make_stream()) as server:
        monkeypatch.setattr(landing, "write_durably", full)
        with pytest.raises(UserError, match=r"0000000002.parquet cannot be written: No space left on device"):
            make_receiver(folder, server.port).run()
        monkeypatch.setattr(landing, "write_durably", write)
        make_receiver(folder, server.port).run()
    assert landed_rows(folder) == sent_rows(make_stream())


def test_with_the_secret_everything_lands_and_the_secret_is_not_on_the_wire(folder):
    with serving(make_stream(), secret=SECRET) as server, Network(server.port) as network:
        make_receiver(folder, network.port, secret=SECRET).run()
        assert SECRET not in network.seen and b"challenge" in network.seen
    assert landed_rows(folder) == sent_rows(make_stream())


@pytest.mark.parametrize(
    ("of_server", "of_receiver", "words"),
    [
        (SECRET, SECRET[::-1], "says: This stream is for those who know its secret"),
        (SECRET, None, "The server has a secret and this receiver has none. Set CIFAR_STREAM_SECRET"),
        (None, SECRET, "This receiver has a secret and 127.0.0.1:.* has none"),
    ],
)
def test_a_receiver_with_another_secret_gets_nothing(folder, of_server, of_receiver, words):
    with serving(make_stream(), secret=of_server) as server, pytest.raises(UserError, match=words):
        make_receiver(folder, server.port, secret=of_receiver).run()
    assert frames_in(folder) == []


def test_a_server_that_only_says_that_it_knows_the_secret_is_refused(folder):
    words = [sealed({"hello": "cifar-stream 1", "challenge": "1"}), sealed(FACTS | {"answer": "2"}), frame(1)]
    with FakeServer(*words) as server, pytest.raises(UserError, match="does not know the secret"):
        make_receiver(folder, server.port, secret=SECRET).run()
    assert frames_in(folder) == []


def test_a_stop_ends_a_receiver_that_waits(folder):
    said = []
    with serving(make_stream(40)) as server, receiving(folder, server.port, backlog=1, said=said) as receiver:
        assert wait_until(lambda: frames_in(folder), 5)
        receiver.stop()
        receiver.thread.join(2)
        assert not receiver.thread.is_alive() and receiver.failure is None


@pytest.mark.parametrize("text", ["6100", "host:", ":6100", "host:0", "host:70000", "host:port"])
def test_an_address_that_is_none_is_refused(text):
    with pytest.raises(UserError, match="is not <host>:<port>"):
        read_address(text)


def test_addresses_are_read():
    assert read_address("127.0.0.1:6100") == ("127.0.0.1", 6100)
    assert read_address("[::1]:6100") == ("::1", 6100)
    with pytest.raises(UserError, match="each once"):
        make_receiver("x", 6100, 6100)


def test_a_line_says_how_much_has_landed_where_that_has_changed(monkeypatch):
    now, landing, said = [100.0], SimpleNamespace(landed=4, waiting=lambda: 2), []
    monkeypatch.setattr(receiver.time, "monotonic", lambda: now[0])
    progress = receiver._Progress(landing, 3, said.append)
    landing.landed, landing.waiting = 9, lambda: 3
    for _ in range(3):
        now[0] += 2.0
        progress.look()
    full = "3 wait for the learner, and there is no room for more"
    assert said == [f"9 frames landed, 2.5 frames/s; {full}", f"9 frames landed, 0.0 frames/s; {full}"]
