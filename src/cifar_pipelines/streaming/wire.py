"""What goes over the wire: lines of JSON that a person can read, and the frames that are made of them.

A frame is a head, one line an image, and an end mark with a checksum of all lines before it:

    {"frame": 17, "epoch": 0, "images": 128, "scheduled_at": 1700000000.0, "sent_at": 1700000000.1}
    {"image_id": "train/00042", "label": 3, "image": "<the image file in base64>"}
    ...
    {"end": 17, "crc32": "9a3b0c1d"}

All else that a server says is one line, which ends with a checksum of itself. Nothing here touches a socket, so any
cutting of the bytes gives the same frames.
"""

import binascii
import json
import math
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

PROTOCOL = "cifar-stream 1"
MAX_LINE = 64 * 2**20  # bytes of a line that a receiver takes: an image file of 48 MB
MAX_FRAME = 256 * 2**20  # bytes of a frame
MAX_IMAGES = 2**16  # images of a frame
MAX_COUNT = 2**31 - 1  # of labels, epochs and frames: columns of tables hold no more
MAX_REQUEST = 4096  # bytes of a line that a server takes: whoever sends it has proved nothing yet


class WireError(Exception):
    """What came is not what the protocol says; its text says why."""


class StreamImage(NamedTuple):
    """One image of a stream: its id, its label (None where it has none) and its file."""

    image_id: str
    label: int | None
    image: bytes


@dataclass(frozen=True)
class Frame:
    """A batch of images as it was sent.

    Attributes:
        number: 1 for the first frame of a stream.
        epoch: 0 while every image comes for the first time.
        scheduled_at: When it was due, in seconds since 1970, by the server's clock.
        sent_at: When it was sent, by the same clock.
        images: The images, in the order of the batch.
    """

    number: int
    epoch: int
    scheduled_at: float
    sent_at: float
    images: tuple[StreamImage, ...]


def line_of(message: Mapping[str, Any]) -> bytes:
    """A message as a line."""
    return json.dumps(message).encode() + b"\n"


def sealed(message: Mapping[str, Any]) -> bytes:
    """A message of a server as a line, with a checksum at its end."""
    said = json.dumps(message)[:-1].encode()
    return said + _seal(said) + b"\n"


def _seal(said: bytes) -> bytes:
    return b', "crc32": "%08x"}' % zlib.crc32(said)


def lines_of(images: Iterable[StreamImage]) -> Iterator[bytes]:
    """The lines of images; base64 needs no escapes, so that only the names go through JSON."""
    for image_id, label, image in images:
        names = json.dumps({"image_id": image_id, "label": label})[:-1].encode()
        yield names + b', "image": "' + binascii.b2a_base64(image, newline=False) + b'"}\n'


def around(
    number: int, epoch: int, images: int, scheduled_at: float, sent_at: float, body: bytes
) -> tuple[bytes, bytes]:
    """The head and the end mark of a frame whose images' lines are `body`."""
    head = {"frame": number, "epoch": epoch, "images": images, "scheduled_at": scheduled_at, "sent_at": sent_at}
    first = line_of(head)
    return first, line_of({"end": number, "crc32": f"{zlib.crc32(body, zlib.crc32(first)):08x}"})


def encode(frame: Frame) -> bytes:
    """A frame as it goes over the wire."""
    body = b"".join(lines_of(frame.images))
    head, end = around(frame.number, frame.epoch, len(frame.images), frame.scheduled_at, frame.sent_at, body)
    return head + body + end


def parse(line: bytes) -> dict[str, Any]:
    """Reads a line.

    Raises:
        WireError: If it is not an object of JSON.
    """
    try:
        message = json.loads(line.decode())
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise WireError(f"{line[:40]!r} is not a line of JSON with names and values")
    return message


def whole_number(message: Mapping[str, Any], name: str, least: int, most: int = MAX_COUNT) -> int:
    """A value of a message that has to be a whole number."""
    value = message.get(name)
    if type(value) is not int or not least <= value <= most:
        raise WireError(f"{name} is {value!r}, but must be a whole number from {least} to {most}")
    return value


class Lines:
    """Cuts bytes into lines, however they come.

    Args:
        limit: How many bytes a line may have.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._begun: list[bytes] = []  # pieces of the line that has no end yet
        self._length = 0  # of those pieces

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yields the lines that a chunk ends, without their ends; raises a `WireError` at one that is too long."""
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            self._keep(piece)
            line, self._begun, self._length = b"".join(self._begun), [], 0
            yield line
        self._keep(rest)

    def _keep(self, piece: bytes) -> None:
        self._begun.append(piece)
        self._length += len(piece)
        if self._length > self.limit:
            raise WireError(f"a line is longer than {self.limit:,} bytes")


class FrameReader:
    """Makes frames, and the messages between them, of the bytes that a server sends."""

    def __init__(self) -> None:
        self._lines = Lines(MAX_LINE)
        self._begun: _BegunFrame | None = None

    def feed(self, chunk: bytes) -> Iterator[Frame | dict[str, Any]]:
        """Yields the frames and messages that a chunk ends; raises a `WireError` at the first damage."""
        for line in self._lines.feed(chunk):
            if self._begun is None:
                message = parse(line)
                if "frame" in message:
                    self._begun = _BegunFrame(message, line)
                else:
                    _require_seal(line)
                    yield message
            elif (frame := self._begun.take(line)) is not None:
                self._begun = None
                yield frame


class _BegunFrame:
    """A frame whose end mark has not come yet."""

    def __init__(self, head: Mapping[str, Any], line: bytes) -> None:
        self._number, self._epoch = whole_number(head, "frame", 1), whole_number(head, "epoch", 0)
        self._wanted = whole_number(head, "images", 1, MAX_IMAGES)
        self._times = [_time(head, name) for name in ("scheduled_at", "sent_at")]
        self._images: list[StreamImage] = []
        self._bytes, self._checksum = 0, 0
        self._count(line)

    def take(self, line: bytes) -> Frame | None:
        """Takes the next line; returns the frame when it was its end mark."""
        if len(self._images) < self._wanted:
            self._images.append(_image(line))
            self._count(line)
            return None
        expected = {"end": self._number, "crc32": f"{self._checksum:08x}"}
        if (said := parse(line)) != expected:
            raise WireError(f"the end mark of frame {self._number} is {said}, but must be {expected}")
        return Frame(self._number, self._epoch, *self._times, tuple(self._images))

    def _count(self, line: bytes) -> None:
        self._checksum = zlib.crc32(b"\n", zlib.crc32(line, self._checksum))
        self._bytes += len(line)
        if self._bytes > MAX_FRAME:
            raise WireError(f"frame {self._number} is longer than {MAX_FRAME:,} bytes")


def _require_seal(line: bytes) -> None:
    said = line[: -len(_seal(b""))]
    if line != said + _seal(said):
        raise WireError(f"{line[:40]!r} does not end with its checksum")


def _image(line: bytes) -> StreamImage:
    said = parse(line)
    image_id, label, image = (said.get(name) for name in StreamImage._fields)
    if not isinstance(image_id, str) or not image_id:
        raise WireError(f"{line[:40]!r} is not the line of an image: image_id must be text")
    if label is not None:
        whole_number(said, "label", 0)
    try:
        image_id.encode()
        return StreamImage(image_id, label, binascii.a2b_base64(image, strict_mode=True))
    except (ValueError, TypeError) as error:
        raise WireError(f"the image {image_id!a} cannot be read: {error}") from error


def _time(head: Mapping[str, Any], name: str) -> float:
    value = head.get(name)
    if type(value) not in (int, float) or not math.isfinite(value):
        raise WireError(f"{name} is {value!r}, but must be a number of seconds")
    return float(value)
