"""A TCP connection whose other end is known to be alive."""

import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import number
from cifar_pipelines.streaming.wire import line_of

CHUNK = 2**18  # bytes that are read at once


@dataclass(frozen=True)
class Patience:
    """How long who waits for what, in seconds.

    Attributes:
        greeting: For the first words of the other end.
        heartbeat: Between two signs of life.
        silence: For a sign of life; then the connection counts as dead.
        retry: Before a lost connection is tried again.
        away: For a server to come, or to come back.
    """

    greeting: float = 10.0
    heartbeat: float = 5.0
    silence: float = 30.0
    retry: float = 0.5
    away: float = 60.0

    def __post_init__(self) -> None:
        number("The time that a server may be away", self.away, 0)


def addresses_of(host: str) -> list[tuple[int, str]]:
    """The addresses that a host's name stands for here, each after its family.

    Raises:
        UserError: If there is none.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UserError(f"The host {host!r} has no address here: {error}. Give one of this machine.") from error
    return [(family, address[0].partition("%")[0]) for family, *_, address in found]


class GoneError(Exception):
    """The other end is not there any more; its text says how that was noticed."""


class Connection:
    """A socket with a memory of when something was heard and said last.

    Args:
        sock: A connected socket, which is closed with this.
        patience: How long the other end may be silent.
    """

    def __init__(self, sock: socket.socket, patience: Patience) -> None:
        self._sock, self._patience = sock, patience
        self.peer = "{}:{}".format(*sock.getpeername()[:2])
        self._heard = self._said = time.monotonic()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def receive(self, wait: float) -> bytes:
        """What came, or nothing if nothing came while it waited.

        Raises:
            GoneError: If the other end has closed the connection, or was silent for too long.
        """
        self._sock.settimeout(max(wait, 0.0))
        try:
            chunk = self._sock.recv(CHUNK)
        except (TimeoutError, BlockingIOError):
            if time.monotonic() - self._heard > self._patience.silence:
                raise GoneError(f"it was silent for {self._patience.silence:g} s") from None
            return b""
        except OSError as error:
            raise GoneError(error.strerror or str(error)) from error
        if not chunk:
            raise GoneError("it closed the connection")
        self._heard = time.monotonic()
        return chunk

    def send(self, *parts: bytes) -> None:
        """Sends bytes; raises a `GoneError` if the other end does not take them."""
        self._sock.settimeout(self._patience.silence)  # for every piece
        try:
            for part in parts:
                for start in range(0, len(part), CHUNK):
                    self._sock.sendall(memoryview(part)[start : start + CHUNK])
        except TimeoutError as error:
            raise GoneError(f"it took nothing for {self._patience.silence:g} s") from error
        except OSError as error:
            raise GoneError(error.strerror or str(error)) from error
        self._said = time.monotonic()

    def say(self, message: Mapping[str, Any]) -> None:
        """Sends a message."""
        self.send(line_of(message))

    def sign_of_life_is_due(self) -> bool:
        """Whether nothing was said for so long that the other end has to be told that this one is there."""
        return time.monotonic() - self._said > self._patience.heartbeat

    def close(self) -> None:
        """Closes the connection, what was sent first."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
        self._sock.close()
