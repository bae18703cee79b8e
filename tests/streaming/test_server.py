import itertools
import json
import socket
import time
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from tests.factories.processes import wait_until
from tests.factories.streaming import QUICK, SECRET, Telnet, make_stream, serving

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.streaming import server
from cifar_pipelines.streaming.connection import Patience
from cifar_pipelines.streaming.pace import Pace
from cifar_pipelines.streaming.server import Service, StreamServer
from cifar_pipelines.streaming.wire import FrameReader

PATIENT = Patience(greeting=5, heartbeat=5, silence=5)


def greet(person):
    """Reads what the server says at first."""
    return [json.loads(person.read_line()) for _ in range(2)]


def read_frame(person):
    reader = FrameReader()
    while True:
        for frame in reader.feed(person.read_line().encode()):
            return frame


def test_a_person_can_talk_to_it():
    with serving(make_stream(), patience=PATIENT) as server, Telnet(server.port) as person:
        hello, stream = greet(person)
        assert hello["hello"] == "cifar-stream 1" and '{"after": 0, "until": 1}' in hello["help"]
        assert stream.pop("crc32")
        assert stream == {
            "stream": "memory", "digest": make_stream().digest, "frames": 3, "classes": ["cat", "dog"], "images": 10,
            "batch_size": 4, "scenario": make_stream().facts(),
        }  # fmt: skip
        person.type('{"after": 0, "until": 1}')
        assert person.read_line().startswith('{"frame": 1, "epoch": 0, "images": 4, "scheduled_at": ')
        assert [json.loads(person.read_line())["image_id"] for _ in range(4)] == [
            one.image_id for one in make_stream().read(1)
        ]
        assert person.read_line().startswith('{"end": 1, "crc32": "')
        person.type("")
        person.type('{"landed": 1, "until": 3}')
        assert [read_frame(person).number for _ in range(2)] == [2, 3]
        assert person.read_line().startswith('{"end_of_stream": 3, ')
        person.type('{"done": 3}')
        assert person.read_all() == ""
        server.thread.join(5)
        assert not server.thread.is_alive()


def test_several_lines_at_once_are_all_heard():
    with serving(make_stream(), patience=PATIENT) as server, Telnet(server.port) as person:
        person.type('{"after": 1, "until": 1}\n{"landed": 1, "until": 2}')
        greet(person)
        assert read_frame(person).number == 2


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("hello?", "'hello\\?' is not a line of JSON with names and values. Answer with"),
        ("GET / HTTP/1.1", "is not a line of JSON"),
        ("\xff\xfe\x00\x80", "is not a line of JSON"),
        ("{}", "after is None, but must be a whole number"),
        ('{"after": -1, "until": 1}', "after is -1"),
        ('{"after": 0, "until": "all"}', "until is 'all'"),
        ('{"after": 4, "until": 9}', "after is 4, but the stream ends with frame 3; serve more epochs"),
        ('{"after": 0, "until": 0}\n{"landed": 1, "until": 2}', "landed is 1, but must be a whole number from 0 to 0"),
        ('{"after": 0, "until": 0}\n{"done": 2}', "done is 2"),
        ("x" * 5000, "a line is longer than 4,096 bytes"),
    ],
)
def test_garbage_is_answered_with_help_and_harms_nobody(typed, words):
    with serving(make_stream(), patience=PATIENT) as server, Telnet(server.port) as person:
        greet(person)
        person.type(typed)
        with pytest.raises(AssertionError, match=words):
            raise AssertionError(json.loads(person.read_all())["error"])
        with Telnet(server.port) as another:
            another.type('{"after": 0, "until": 1}')
            greet(another)
            assert read_frame(another).number == 1


def test_who_says_nothing_is_sent_away():
    with serving(make_stream()) as server, Telnet(server.port) as person:
        greet(person)
        assert "Nothing was said for 0.5 s. Answer with" in person.read_all()
        assert wait_until(lambda: not server._sessions, 5)


def test_who_says_a_letter_now_and_then_is_sent_away_as_well():
    with serving(make_stream()) as server, Telnet(server.port) as person:
        greet(person)
        start = time.monotonic()
        while server._sessions and time.monotonic() < start + 5:
            try:
                person._socket.sendall(b" ")
            except OSError:
                break
            time.sleep(0.02)
        assert time.monotonic() - start < 3


def test_a_client_that_falls_silent_is_dropped_and_signs_of_life_are_given():
    said = []
    with serving(make_stream(), said=said) as server, Telnet(server.port) as person:
        person.type('{"after": 0, "until": 0}')
        words = person.read_all().splitlines()[2:]
        assert len(words) > 2 and len(set(words)) == 1
        assert words[0].startswith('{"waits_for": "credit: the client has no room", ')
        assert wait_until(lambda: not server._sessions, 5)
        assert said[-1].endswith("left after frame 0: it was silent for 0.6 s.")


def test_nothing_is_sent_beyond_the_credit():
    with serving(make_stream(), patience=PATIENT) as server, Telnet(server.port) as person:
        greet(person)
        person.type('{"after": 0, "until": 2}')
        assert [read_frame(person).number for _ in range(2)] == [1, 2]
        person._socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            person._socket.recv(1)


@pytest.mark.parametrize("pace", [Pace(rate=80.0), Pace(interval=0.05)])
def test_frames_are_due_at_the_pace_and_not_sent_before(pace):
    with serving(make_stream(12), pace=pace, patience=PATIENT) as server, Telnet(server.port) as person:
        greet(person)
        person.type('{"after": 0, "until": 9}')
        frames = [read_frame(person) for _ in range(3)]
    due = [frame.scheduled_at for frame in frames]
    assert [late - early for early, late in itertools.pairwise(due)] == pytest.approx([0.05] * 2, abs=1e-4)
    assert all(frame.sent_at >= frame.scheduled_at for frame in frames)
    assert time.time() - frames[-1].sent_at < 5


def test_what_waited_for_credit_is_late_by_its_schedule():
    with serving(make_stream(12), pace=Pace(interval=0.01), patience=PATIENT) as server, Telnet(server.port) as person:
        greet(person)
        person.type('{"after": 0, "until": 1}')
        first = read_frame(person)
        time.sleep(0.2)
        person.type('{"landed": 1, "until": 3}')
        second, third = read_frame(person), read_frame(person)
    assert second.scheduled_at - first.scheduled_at == pytest.approx(0.01, abs=1e-4)
    assert second.sent_at - second.scheduled_at > 0.1
    assert third.scheduled_at - second.scheduled_at == pytest.approx(0.01, abs=1e-4)


def test_an_endless_stream_goes_on_with_the_next_epoch():
    with serving(make_stream(epochs=None), patience=PATIENT) as server, Telnet(server.port) as person:
        assert greet(person)[1]["frames"] is None
        person.type('{"after": 8, "until": 10}')
        assert [(frame.number, frame.epoch) for frame in (read_frame(person), read_frame(person))] == [(9, 2), (10, 3)]


def test_a_client_without_the_secret_gets_nothing():
    with serving(make_stream(), secret=SECRET, patience=PATIENT) as server:
        for said in (
            '{"after": 0, "until": 1}',
            '{"challenge": "1", "answer": "2"}',
            '{"challenge": null, "answer": 3}',
        ):
            with Telnet(server.port) as person:
                person.type(said)
                hello, refusal = map(json.loads, person.read_all().splitlines())
                assert set(hello) == {"hello", "challenge", "crc32"}
                assert (
                    set(refusal) == {"error", "final", "crc32"}
                    and "know its secret. Set CIFAR_STREAM_SECRET" in refusal["error"]
                )


def service(secret=None):
    return Service(make_stream(), Pace(), secret, QUICK)


def test_beyond_loopback_without_a_secret_it_does_not_start():
    with pytest.raises(UserError, match="can be reached from other machines"):
        StreamServer(service(), "0.0.0.0", 0, print)
    with StreamServer(service(SECRET), "0.0.0.0", 0, print) as server:
        assert server.address.startswith("0.0.0.0:")


def test_a_port_in_use_is_one_sentence_and_a_port_that_was_in_use_is_free_at_once():
    with serving(make_stream(), patience=PATIENT) as server, Telnet(server.port) as person:
        greet(person)
        with pytest.raises(UserError, match=f"Port {server.port} of 127.0.0.1 is in use by another program"):
            StreamServer(service(), "127.0.0.1", server.port, print)
    with serving(make_stream(), port=server.port):
        pass


@pytest.mark.parametrize(
    ("host", "port", "words"),
    [
        ("127.0.0.1", 70000, "The port is 70000, but must be from 0"),
        ("no such host", 0, "'no such host' has no address here"),
        ("192.0.2.7", 0, "192.0.2.7:0 cannot be listened at: .* Give an address of this machine"),
    ],
)
def test_an_address_that_is_none_of_this_machine_is_one_sentence(host, port, words):
    with pytest.raises(UserError, match=words):
        StreamServer(service(SECRET), host, port, print)


def test_an_image_that_cannot_be_read_ends_the_server_with_its_name(monkeypatch):
    def read(_):
        raise PermissionError(13, "Permission denied", "train/cat/1.png")
        yield

    stream = make_stream()
    monkeypatch.setattr(stream.source, "read", read)
    with serving(stream) as server, Telnet(server.port) as person:
        person.type('{"after": 0, "until": 1}')
        server.thread.join(5)
        assert isinstance(server.failure, UserError)
        assert "train/cat/1.png is closed to this user" in server.failure.message


def test_more_clients_than_it_takes_are_told_so():
    with serving(make_stream(), patience=PATIENT) as server:
        people = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(16)]
        assert wait_until(lambda: len(server._sessions) == 16, 5)
        with Telnet(server.port) as late:
            assert json.loads(late.read_all())["error"] == "There are 16 clients already."
        for person in people:
            person.close()


def test_a_line_says_how_far_every_client_is_where_that_has_changed(monkeypatch):
    now, said = [100.0], []
    monkeypatch.setattr(server.time, "monotonic", lambda: now[0])
    client = Mock(waits_for="the client", connection=SimpleNamespace(peer="127.0.0.1:5"))
    progress = server._Progress({client: None}, SimpleNamespace(stream=SimpleNamespace(last=9)), said.append)
    for images, landed in ((100, 2), (200, 4), (200, 4), (200, 4)):
        client.images, client.landed = images, landed
        progress.look()
        now[0] += 4.0
    assert said == [
        f"127.0.0.1:5: frame 2 of 9 landed, 100 images, {100 / server.PROGRESS_S:,.0f} images/s; waits for the client",
        "127.0.0.1:5: frame 4 of 9 landed, 200 images, 25 images/s; waits for the client",
        "127.0.0.1:5: frame 4 of 9 landed, 200 images, 0 images/s; waits for the client",
    ]
