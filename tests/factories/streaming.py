"""Streams of made-up images, servers and receivers in threads, and a network that does what it should not."""

import socket
import threading
from contextlib import contextmanager, suppress

import pandas as pd
import pyarrow.parquet as pq

from cifar_pipelines.sources import ImageSource, sha256_of
from cifar_pipelines.streaming.connection import Patience
from cifar_pipelines.streaming.image_stream import ImageStream
from cifar_pipelines.streaming.pace import Pace
from cifar_pipelines.streaming.receiver import Receiver
from cifar_pipelines.streaming.server import Service, StreamServer

FREE = Pace()
QUICK = Patience(greeting=0.5, heartbeat=0.05, silence=0.6, retry=0.01, away=5.0)
SECRET = bytes(range(65, 91))


class MemorySource(ImageSource):
    """Images that are nothing but bytes."""

    name, path, class_names = "memory", None, ("cat", "dog")

    def __init__(self, size=60):
        self.size = size

    def index(self, split):
        raise NotImplementedError

    def read(self, image_ids):
        for image_id in image_ids:
            yield image_id, (image_id.encode() * self.size)[: self.size]

    def fingerprint(self):
        return sha256_of((self.name, self.size))

    def describe(self):
        return {"name": self.name}

    def check(self):
        pass


def make_stream(images=10, batch_size=4, name="memory", seed=1, epochs=1, size=60, **scenario):
    ids = [f"train/{number:05d}" for number in range(images)]
    table = pd.DataFrame({"image_id": ids, "label": [number % 2 for number in range(images)]})
    return ImageStream(name, MemorySource(size), table, batch_size, seed, epochs, **scenario)


@contextmanager
def serving(stream, port=0, pace=FREE, secret=None, patience=QUICK, said=None):
    """A server in a thread; its port and its host stand in `address`, and what it raised in `failure`."""
    said = [] if said is None else said
    with StreamServer(Service(stream, pace, secret, patience), "127.0.0.1", port, said.append) as server:
        server.failure = None
        server.port = int(server.address.rpartition(":")[2])

        def serve():
            try:
                server.serve()
            except Exception as error:
                server.failure = error

        server.thread = threading.Thread(target=serve, daemon=True)
        server.thread.start()
        try:
            yield server
        finally:
            server.stop()
            server.thread.join(5)


def make_receiver(folder, *ports, secret=None, backlog=1000, patience=QUICK, said=None):
    addresses = [("127.0.0.1", port) for port in ports]
    return Receiver(addresses, folder, backlog, secret, patience, [].append if said is None else said.append)


@contextmanager
def receiving(*arguments, **options):
    """A receiver in a thread."""
    receiver = make_receiver(*arguments, **options)
    receiver.failure = None

    def run():
        try:
            receiver.run()
        except Exception as error:
            receiver.failure = error

    receiver.thread = threading.Thread(target=run, daemon=True)
    receiver.thread.start()
    try:
        yield receiver
    finally:
        receiver.stop()
        receiver.thread.join(5)


def frames_in(folder):
    return sorted(file.name for file in folder.glob("*.parquet"))


def landed_rows(folder):
    """What has landed, in order: for every image its frame, id, label and file, by producer's count as well."""
    columns = ["sequence", "position", "image_id", "label", "image", "producer", "producer_sequence", "epoch"]
    rows = []
    for name in frames_in(folder):
        rows += pq.read_table(folder / name, columns=columns).to_pylist()
    return rows


def sent_rows(stream, first=1):
    """What of a stream has to land if it is the only one."""
    last = stream.last
    return [
        dict(zip(("image_id", "label", "image"), image, strict=True))
        | {"sequence": number, "position": place, "producer": stream.name, "producer_sequence": number}
        | {"epoch": stream.epoch_of(number)}
        for number in range(first, last + 1)
        for place, image in enumerate(stream.read(number))
    ]


class Network:
    """Stands between client and server, and breaks connections, cuts bytes into pieces, or changes one.

    Args:
        port: Of the server.
        faults: For every connection in turn, what befalls the bytes for the client: after how many of them the connection breaks
            (None for never), into pieces of which size they are cut, and which byte is changed (None for none). Later connections are spared.
    """

    def __init__(self, port, faults=()):
        self._target, self._faults = port, list(faults)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.seen = b""  # all that went through, in either direction
        self.connections = 0

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        shut(self._socket)

    def _accept(self):
        while True:
            try:
                client = self._socket.accept()[0]
            except OSError:
                return
            fault = self._faults.pop(0) if self._faults else (None, 2**16, None)
            self.connections += 1
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                client.close()
                continue
            for way in ((server, client, *fault), (client, server, None, 2**16, None)):
                threading.Thread(target=self._pump, args=way, daemon=True).start()

    def _pump(self, source, target, breaks_after, piece, changed):
        passed = 0
        try:
            while chunk := source.recv(piece):
                if changed is not None and passed <= changed < passed + len(chunk):
                    place = changed - passed
                    chunk = chunk[:place] + bytes([chunk[place] ^ 1]) + chunk[place + 1 :]
                if breaks_after is not None:
                    chunk = chunk[: breaks_after - passed]
                passed += len(chunk)
                self.seen += chunk
                target.sendall(chunk)
                if passed == breaks_after:
                    break
        except OSError:
            pass
        for sock in (source, target):
            shut(sock)


def shut(sock):
    """Closes a socket, and wakes the thread that waits at it."""
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()


class Telnet:
    """Somebody who types into a connection and reads what comes."""

    def __init__(self, port):
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.settimeout(5)
        self._file = self._socket.makefile("rwb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def type(self, text):
        self._file.write(text.encode("latin-1") + b"\n")
        self._file.flush()

    def read_line(self):
        return self._file.readline().decode()

    def read_all(self):
        return self._file.read().decode()
