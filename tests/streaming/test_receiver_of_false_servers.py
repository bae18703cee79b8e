import socket
import threading

import pytest
from tests.factories import landing
from tests.factories.processes import wait_until
from tests.factories.streaming import (
    SECRET,
    frames_in,
    landed_rows,
    make_receiver,
    make_stream,
    receiving,
    sent_rows,
    shut,
)

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.streaming.connection import Patience
from cifar_pipelines.streaming.journal import read_journal
from cifar_pipelines.streaming.wire import encode, sealed


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
    return encode(landing.frame(number))


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


def test_a_server_that_only_says_that_it_knows_the_secret_is_refused(folder):
    words = [sealed({"hello": "cifar-stream 1", "challenge": "1"}), sealed(FACTS | {"answer": "2"}), frame(1)]
    with FakeServer(*words) as server, pytest.raises(UserError, match="does not know the secret"):
        make_receiver(folder, server.port, secret=SECRET).run()
    assert frames_in(folder) == []
