"""One client of the server, from its first words to its last."""

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cifar_pipelines.streaming import shared_secret
from cifar_pipelines.streaming.connection import Connection, GoneError, Patience
from cifar_pipelines.streaming.image_stream import ImageStream
from cifar_pipelines.streaming.pace import Pace
from cifar_pipelines.streaming.wire import (
    MAX_REQUEST,
    PROTOCOL,
    Lines,
    WireError,
    around,
    lines_of,
    parse,
    sealed,
    whole_number,
)

LOOK_S = 0.05  # how often a session looks whether the server shall stop
HELP = 'Answer with {"after": 0, "until": 1} for the first frame, {"landed": 1, "until": 2} for the next.'


@dataclass(frozen=True)
class Service:
    """What every client of a server gets, and how."""

    stream: ImageStream
    pace: Pace
    secret: bytes | None
    patience: Patience


class Session:
    """Sends a stream to one client, never further than the client says.

    Args:
        connection: To the client.
        service: What it gets.
        stopping: Ends the session when it is set.
    """

    def __init__(self, connection: Connection, service: Service, stopping: threading.Event) -> None:
        self.connection = connection
        self._service, self._stopping = service, stopping
        self._lines = Lines(MAX_REQUEST)
        self._inbox: deque[bytes] = deque()  # lines that nobody has read yet
        self._next = 1  # the frame that is sent next
        self._until = 0  # the last frame that the client has room for
        self.landed = 0  # the last frame that the client keeps
        self.images = 0  # how many images of this session it keeps
        self.waits_for = "the client"
        self.done = False

    def run(self) -> None:
        """Serves until the client has everything, or the server shall stop.

        Raises:
            GoneError: If the client leaves, is silent for too long, or says what is not understood; it was told why.
        """
        try:
            self._greet()
            self._send_frames()
        except WireError as error:
            self._dismiss(f"{error}", HELP)

    def _greet(self) -> None:
        service, stream = self._service, self._service.stream
        hello = {"hello": PROTOCOL}
        proof: dict[str, str] = {}
        if service.secret is not None:
            of_server = shared_secret.challenge()
            self._say(hello | {"challenge": of_server})
            said = self._first()
            of_client = str(said.get("challenge"))
            wanted = shared_secret.answer(service.secret, shared_secret.CLIENT, of_server, of_client)
            if not shared_secret.is_right(said.get("answer"), wanted):
                reason = f"This stream is for those who know its secret. Set {shared_secret.VARIABLE} as on the server"
                self._dismiss(reason)
            proof = {"answer": shared_secret.answer(service.secret, shared_secret.SERVER, of_server, of_client)}
        else:
            self._say(hello | {"help": HELP})
        classes = list(stream.source.class_names)
        facts = {"stream": stream.name, "digest": stream.digest, "frames": stream.last, "classes": classes}
        facts |= {"images": len(stream.images), "batch_size": stream.batch_size, "scenario": stream.facts()}
        self._say(facts | proof)
        self._begin(self._first())

    def _begin(self, asked: Mapping[str, Any]) -> None:
        last = self._service.stream.last
        after = whole_number(asked, "after", 0)
        if last is not None and after > last:
            self._dismiss(f"after is {after}, but the stream ends with frame {last}; serve more epochs")
        self.landed, self._next = after, after + 1
        self._until = whole_number(asked, "until", 0)

    def _dismiss(self, reason: str, remedy: str = "") -> None:
        """Says why a client is sent away, and what helps; where nothing does, it need not try again."""
        self._say({"error": f"{reason}. {remedy}".strip(), "final": not remedy})
        raise GoneError(f"it was sent away: {reason}")

    def _first(self) -> dict[str, Any]:
        """The next words of a client that has yet to say what it wants."""
        deadline = time.monotonic() + self._service.patience.greeting
        while time.monotonic() < deadline:
            if self._stopping.is_set():
                raise GoneError("the server stops")
            if (message := self._heard(LOOK_S)) is not None:
                return message
        return self._dismiss(f"Nothing was said for {self._service.patience.greeting:g} s", HELP)

    def _send_frames(self) -> None:
        stream, pace = self._service.stream, self._service.pace
        since_1970 = time.time() - time.monotonic()  # one clock, which no correction of the time of day turns back
        due, body, told = time.monotonic(), b"", False
        while not (self.done or self._stopping.is_set()):
            wait = LOOK_S
            if stream.last is not None and self._next > stream.last:
                self.waits_for = "the client to land the rest"
                if not told:
                    self._say({"end_of_stream": stream.last})
                    told = True
            elif self._next > self._until:
                self.waits_for = "credit: the client has no room"
            else:
                body = body or self._read()
                self.waits_for = "the next frame to be due"
                wait = due - time.monotonic()
                if wait <= 0:
                    now = time.monotonic()
                    images = stream.count(self._next)
                    self._send(body, images, since_1970 + (now if pace.is_free else due), since_1970 + now)
                    body, due = b"", due + pace.seconds(images)
            self._listen(min(wait, LOOK_S))

    def _read(self) -> bytes:
        """The lines of the next frame; signs of life are given while a slow disk is read."""
        lines = []
        for line in lines_of(self._service.stream.read(self._next)):
            lines.append(line)
            self._give_sign_of_life()
        return b"".join(lines)

    def _send(self, body: bytes, images: int, scheduled_at: float, sent_at: float) -> None:
        epoch = self._service.stream.epoch_of(self._next)
        head, end = around(self._next, epoch, images, scheduled_at, sent_at, body)
        self.connection.send(head, body, end)
        self._next += 1

    def _listen(self, wait: float) -> None:
        """Takes in what the client says of its landing."""
        while not self.done and (message := self._heard(wait)) is not None:
            wait = 0.0
            if "refused" in message:
                raise GoneError(f"it refused frame {message['refused']}: {message.get('because')}")
            if "done" in message:
                # Whoever has an endless stream is never done with it.
                last = self._service.stream.last or 0
                self.done = whole_number(message, "done", max(last, 1), last) == last
            else:
                self._note(whole_number(message, "landed", self.landed, self._next - 1))
                self._until = whole_number(message, "until", 0)
        if not self.done:  # a client that is done has left, and hears nothing any more
            self._give_sign_of_life()

    def _note(self, landed: int) -> None:
        self.images += sum(map(self._service.stream.count, range(self.landed + 1, landed + 1)))
        self.landed = landed

    def _give_sign_of_life(self) -> None:
        if self.connection.sign_of_life_is_due():
            self._say({"waits_for": self.waits_for})

    def _say(self, message: Mapping[str, Any]) -> None:
        self.connection.send(sealed(message))

    def _heard(self, wait: float) -> dict[str, Any] | None:
        """The next message; None if there is none while it waited."""
        if not self._inbox:
            self._inbox += [line for line in self._lines.feed(self.connection.receive(wait)) if line.strip()]
        return parse(self._inbox.popleft()) if self._inbox else None
