"""How fast images come through a stream and land for good, against the same bytes through a bare socket."""

import multiprocessing
import socket
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.result import Result
from benchmarks.workload import Step
from cifar_pipelines.sources import ImageSource, open_source
from cifar_pipelines.streaming.connection import CHUNK, Patience
from cifar_pipelines.streaming.image_stream import ImageStream
from cifar_pipelines.streaming.pace import Pace
from cifar_pipelines.streaming.receiver import Receiver, read_address
from cifar_pipelines.streaming.server import Service, StreamServer
from cifar_pipelines.streaming.wire import Frame, encode

NAME = "stream"
IMAGES, EPOCHS, BATCH_SIZE = 2000, 5, 128
LOOPBACK = ("127.0.0.1", 0)


class ReadBefore(ImageSource):
    """The training images of a source, or so many of them drawn at random, read already: neither disk nor drawing is measured."""

    def __init__(self, source: ImageSource, count: int | None = None) -> None:
        self._source = source
        self.name, self.path = source.name, None
        images = source.index("train")
        self.images = images if count is None else images.sample(count, random_state=1)
        self._files = dict(source.read(self.images["image_id"]))

    class_names = property(lambda self: self._source.class_names)

    def index(self, split: str) -> Any:
        """See `ImageSource.index`."""
        return self._source.index(split)

    def read(self, image_ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """See `ImageSource.read`."""
        return ((image_id, self._files[image_id]) for image_id in image_ids)

    def fingerprint(self) -> str:
        """See `ImageSource.fingerprint`."""
        return self._source.fingerprint()

    def describe(self) -> dict[str, Any]:
        """See `ImageSource.describe`."""
        return self._source.describe()

    def check(self) -> None:
        """Passes: all is read."""


def measure(repeats: int, step: Step) -> Result:
    """Sends small images as fast as they are taken, from one process to another, in turn with the bare bytes.

    Args:
        repeats: How often.
        step: Called with a sentence at every step.
    """
    step(f"Drawing {IMAGES:,} images of 32 pixels.")
    source = ReadBefore(open_source("synthetic", options={"train_images": IMAGES}))
    stream = ImageStream(NAME, source, source.images, BATCH_SIZE, 1, EPOCHS)
    wire = [encode(Frame(number, 0, 1.0, 1.0, tuple(stream.read(number)))) for number in range(1, stream.last + 1)]
    ours, bare = [], []
    for repeat in range(repeats):
        step(f"Sending {IMAGES * EPOCHS:,} images, round {repeat + 1} of {repeats}.")
        ours.append(IMAGES * EPOCHS / _seconds_to_land(stream))
        bare.append(IMAGES * EPOCHS / _seconds_of_bytes(wire))
    note = f"{sum(map(len, wire)) / (IMAGES * EPOCHS) / 1000:.1f} kB an image on the wire, {len(wire)} frames; each is on the disk before it is acknowledged."
    return Result(NAME, "images/s", ours, bare, notes=[note])


def _seconds_to_land(stream: ImageStream) -> float:
    def send(told: Any) -> None:
        with StreamServer(Service(stream, Pace(), None, Patience()), *LOOPBACK, lambda _: None) as server:
            told.send(server.address)
            server.serve()

    with tempfile.TemporaryDirectory() as folder:

        def land(address: str) -> None:
            Receiver([read_address(address)], Path(folder), stream.last, None, Patience(), lambda _: None).run()

        return _seconds_between(send, land)


def _seconds_of_bytes(wire: list[bytes]) -> float:
    def send(told: Any) -> None:
        with socket.create_server(LOOPBACK) as server:
            told.send("{}:{}".format(*server.getsockname()))
            client, _ = server.accept()
            with client:
                for frame in wire:
                    client.sendall(frame)

    def take(address: str) -> None:
        with socket.create_connection(read_address(address)) as client:
            while client.recv(CHUNK):
                pass

    return _seconds_between(send, take)


def _seconds_between(send: Callable[[Any], None], take: Callable[[str], None]) -> float:
    """Seconds of the side that takes, while a process sends that says where it is to be found."""
    processes = multiprocessing.get_context("fork")
    ears, told = processes.Pipe(duplex=False)
    sender = processes.Process(target=send, args=(told,), daemon=True)
    sender.start()
    address = ears.recv()
    started = time.perf_counter()
    take(address)
    seconds = time.perf_counter() - started
    sender.join()
    return seconds
