import errno
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
)

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.streaming import landing, receiver
from cifar_pipelines.streaming.connection import Patience
from cifar_pipelines.streaming.journal import commit, read_journal
from cifar_pipelines.streaming.landing import Landing
from cifar_pipelines.streaming.pace import Pace


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


def test_a_stop_ends_a_receiver_that_waits(folder):
    said = []
    with serving(make_stream(40)) as server, receiving(folder, server.port, backlog=1, said=said) as receiver:
        assert wait_until(lambda: frames_in(folder), 5)
        receiver.stop()
        receiver.thread.join(2)
        assert not receiver.thread.is_alive() and receiver.failure is None


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
