"""Follows one server: connects, lands what comes, acknowledges it, and comes back after whatever went wrong."""

import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.words import counted, one_line
from cifar_pipelines.streaming import shared_secret
from cifar_pipelines.streaming.connection import Connection, GoneError, Patience
from cifar_pipelines.streaming.landing import Landing
from cifar_pipelines.streaming.wire import PROTOCOL, Frame, FrameReader, WireError

LOOK_S = 0.05  # how often room for more frames is looked for
REFUSALS = 3  # in a row, without a frame that lands; then it is no accident


def name_of(address: tuple[str, int]) -> str:
    """What people call the server at an address."""
    return "{}:{}".format(*address)


class Client:
    """Lets the frames of one server land.

    Args:
        address: Host and port of the server.
        landing: Where frames land.
        secret: What server and client both know; None for none.
        patience: How long is waited for what.
        claim: Says whether this client may follow a producer: False if another one does.
        say: Gets a line for people whenever something happens.
    """

    def __init__(
        self, address: tuple[str, int], landing: Landing, secret: bytes | None, patience: Patience,
        claim: Callable[[str, "Client"], bool], say: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._address, self._landing, self._secret, self._patience = address, landing, secret, patience
        self._claim, self._say = claim, say
        self.name = name_of(address)
        self.stopping = threading.Event()
        self._producer = ""
        self._refusals = 0
        self._met = 0.0  # when the server was there last
        self._reached = self._admitted = False  # how far the last attempt got

    def run(self, is_over: Callable[[], bool]) -> None:
        """Follows the server until its stream has ended.

        Args:
            is_over: Asked while the server is away: whether all that was to come from it has landed before.

        Raises:
            UserError: If the server stays away, does not know the secret, is none of ours, sends damaged frames again and again, or the
                frames cannot land.
        """
        said = ""
        self._met = time.monotonic()
        while not self.stopping.is_set():
            reason = self._attempt()
            if not reason or self.stopping.is_set() or (not self._reached and is_over()):
                return
            if time.monotonic() - self._met > self._patience.away:
                raise UserError(
                    f"{self.name} was away for {self._patience.away:g} s: {reason}. Start `kedro stream serve` there, then the same "
                    "command again; it goes on after the last frame that has landed."
                )
            if reason != said:
                self._say(f"{self.name}: {reason}. Trying again.")
            said = reason
            self.stopping.wait(self._patience.retry)

    def _attempt(self) -> str:
        """Connects and takes frames; returns why it has to be tried again, nothing if the stream has ended."""
        self._reached, self._admitted = False, False
        try:
            connection = Connection(socket.create_connection(self._address, self._patience.greeting), self._patience)
        except UnicodeError as error:
            raise UserError(f"{self.name} names no host: {error}. Correct streaming.servers, or --from.") from error
        except OSError as error:
            return f"it cannot be reached: {error.strerror or error}"
        self._reached = True
        try:
            return "" if self._converse(connection) else "this receiver stops"
        except WireError as error:
            return self._refuse(connection, error)
        except GoneError as error:
            return f"it is gone: {error}"
        finally:
            connection.close()
            if self._admitted:
                self._met = time.monotonic()

    def _refuse(self, connection: Connection, error: WireError) -> str:
        """Tells the server why it is left; the next connection asks for the frame again."""
        self._refusals += 1
        if self._refusals >= REFUSALS:
            raise UserError(
                f"{self.name} sent what cannot be taken, {REFUSALS} times in a row: {error}. Is it a `kedro stream serve` of this version?"
            ) from error
        wanted = self._landing.last_of(self._producer) + 1
        with suppress(GoneError):
            connection.say({"refused": wanted, "because": str(error)})
        return f"refused, {error}; frame {wanted} is asked for again"

    def _converse(self, connection: Connection) -> bool:
        """Takes frames until the stream ends; returns whether it did."""
        heard = _Inbox(connection, self.stopping)
        stream = self._introduce(connection, heard)
        name = str(stream.get("stream"))
        if self._producer not in ("", name):
            raise UserError(
                f"{self.name} now sends as {name!r}, but {self._producer!r} had not ended there. Serve that one again, or follow the new "
                "one into another folder."
            )
        if not self._claim(name, self):
            raise UserError(
                f"{self.name} sends as {name!r}, as another server does. Give each its own --name, or follow one of them."
            )
        landed = self._landing.admit(name, stream, self.name)
        self._producer, self._admitted = name, True
        until = self._landing.until(name)
        connection.say({"after": landed, "until": until})
        self._say(f"{self.name} sends {name!r}; going on after frame {landed}.")
        while not self.stopping.is_set():
            message = heard.next(LOOK_S)
            room = self._landing.until(name)
            if isinstance(message, Frame):
                if self._landing.land(name, message):
                    self._refusals = 0
                landed, room = message.number, self._landing.until(name)
            elif message is not None and "end_of_stream" in message:
                self._landing.end(name, message["end_of_stream"])
                connection.say({"done": message["end_of_stream"]})
                self._say(f"{self.name}: {counted(landed, 'frame')} of {name!r} landed, which are all.")
                return True
            elif message is not None:
                _raise_said(message, self.name)
            if isinstance(message, Frame) or room != until or connection.sign_of_life_is_due():
                until = room
                connection.say({"landed": landed, "until": until})
        return False

    def _introduce(self, connection: Connection, heard: "_Inbox") -> Mapping[str, Any]:
        """Exchanges proofs of the secret, if there is one; returns what the server says of its stream."""
        hello = heard.first(self._patience.greeting, self.name)
        if hello.get("hello") != PROTOCOL:
            raise WireError(f"it says {one_line(str(hello), 60)}, but must greet with {PROTOCOL!r}")
        of_server = hello.get("challenge")
        if (of_server is None) != (self._secret is None):
            who, other = ("The server", "this receiver") if self._secret is None else ("This receiver", f"{self.name}")
            raise UserError(
                f"{who} has a secret and {other} has none. Set {shared_secret.VARIABLE} to the same secret on both sides, or on none."
            )
        of_client = shared_secret.challenge()
        if self._secret is not None:
            proof = shared_secret.answer(self._secret, shared_secret.CLIENT, str(of_server), of_client)
            connection.say({"challenge": of_client, "answer": proof})
        stream = heard.first(self._patience.greeting, self.name)
        if self._secret is not None:
            wanted = shared_secret.answer(self._secret, shared_secret.SERVER, str(of_server), of_client)
            if not shared_secret.is_right(stream.get("answer"), wanted):
                raise UserError(
                    f"{self.name} does not know the secret, so it is not the server that it should be. Check the address, and that "
                    f"{shared_secret.VARIABLE} is the same on both sides."
                )
        return stream


class _Inbox:
    """Frames and messages as they come, one at a time."""

    def __init__(self, connection: Connection, stopping: threading.Event) -> None:
        self._connection, self._stopping = connection, stopping
        self._reader = FrameReader()
        self._waiting: deque[Frame | dict[str, Any]] = deque()
        self._damage: WireError | None = None

    def next(self, wait: float) -> Frame | dict[str, Any] | None:
        """The next one; None if none came while it waited. What was whole before some damage comes first."""
        if not self._waiting and self._damage is None:
            try:
                for message in self._reader.feed(self._connection.receive(wait)):
                    self._waiting.append(message)
            except WireError as error:
                self._damage = error
        if self._waiting:
            return self._waiting.popleft()
        if self._damage is not None:
            raise self._damage
        return None

    def first(self, patience: float, name: str) -> dict[str, Any]:
        """A message of the introduction."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and not self._stopping.is_set():
            message = self.next(LOOK_S)
            if isinstance(message, dict):
                if "error" in message:
                    _raise_said(message, name)
                return message
            if message is not None:
                raise WireError("a frame came before it was asked for")
        raise GoneError(f"it did not introduce itself within {patience:g} s")


def _raise_said(message: Mapping[str, Any], name: str) -> None:
    """Raises what the server says is wrong; a sign of life is nothing of the kind."""
    if "error" in message:
        raise (
            UserError(f"{name} says: {message['error']}") if message.get("final") else GoneError(str(message["error"]))
        )
