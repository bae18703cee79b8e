"""The receiver: follows several servers, each in a thread of its own, and lets what they send land in one folder."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.polling import Polling
from cifar_pipelines.common.words import counted
from cifar_pipelines.streaming.client import LOOK_S, Client, name_of
from cifar_pipelines.streaming.connection import Patience
from cifar_pipelines.streaming.landing import Landing

PROGRESS_S = 5.0


def read_address(text: str) -> tuple[str, int]:
    """Host and port of a text such as 127.0.0.1:6100; an IPv6 address may stand in brackets.

    Raises:
        UserError: If it is no such text.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 2**16:
        raise UserError(
            f"The address {text!r} is not <host>:<port>. Give it as the server says it, such as 127.0.0.1:6100."
        )
    return host.removeprefix("[").removesuffix("]"), int(port)


class Receiver:
    """Lets the streams of several servers land.

    Args:
        addresses: Where the servers are, each once.
        folder: Where frames land.
        max_backlog: How many frames may wait for the learner.
        secret: What servers and receiver both know; None for none.
        patience: How long is waited for what.
        say: Gets a line for people whenever something happens.
    """

    def __init__(
        self, addresses: Sequence[tuple[str, int]], folder: Path, max_backlog: int, secret: bytes | None,
        patience: Patience, say: Callable[[str], None],
    ) -> None:  # fmt: skip
        if not addresses or len(set(addresses)) < len(addresses):
            raise UserError(
                "The servers to follow must be one at least, and each once. Give their addresses, each once."
            )
        self._folder, self._max_backlog, self._say = folder, max_backlog, say
        self._make = lambda address, landing: Client(address, landing, secret, patience, self._claim, say)
        self._addresses = addresses
        self._followers: dict[str, Client] = {}
        self._clients: list[Client] = []
        self._failure: BaseException | None = None
        self._stopping = threading.Event()

    def run(self) -> None:
        """Receives until all streams have ended, or until `stop`.

        Raises:
            UserError: As `Client.run` and `Landing` do.
        """
        with Landing(self._folder, self._max_backlog, list(map(name_of, self._addresses))) as landing:
            self._clients = [self._make(address, landing) for address in self._addresses]
            threads = [threading.Thread(target=self._follow, args=(one, landing), daemon=True) for one in self._clients]
            with Polling(_Progress(landing, self._max_backlog, self._say).look, PROGRESS_S):
                try:
                    for thread in threads:
                        thread.start()
                    while any(thread.is_alive() for thread in threads) and self._failure is None:
                        if self._stopping.wait(LOOK_S):
                            break
                finally:
                    for client in self._clients:
                        client.stopping.set()
                    for thread in threads:
                        with suppress(RuntimeError):  # it was not started
                            thread.join()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Ends `run` after the frames that are landing."""
        self._stopping.set()

    def _follow(self, client: Client, landing: Landing) -> None:
        try:
            client.run(lambda: landing.ended_at(client.name))
        except Exception as error:
            self._failure = self._failure or error

    def _claim(self, name: str, client: Client) -> bool:
        return self._followers.setdefault(name, client) is client


class _Progress:
    """Says how much has landed, where that has changed, and when the learner is what everything waits for."""

    def __init__(self, landing: Landing, max_backlog: int, say: Callable[[str], None]) -> None:
        self._landing, self._max_backlog, self._say = landing, max_backlog, say
        self._before = time.monotonic(), landing.landed
        self._said = ""

    def look(self) -> None:
        """Says one line."""
        now, landed, waiting = time.monotonic(), self._landing.landed, self._landing.waiting()
        then, before = self._before
        self._before = now, landed
        rate = (landed - before) / max(now - then, 1e-9)
        words = f"{counted(landed, 'frame')} landed, {rate:,.1f} frames/s; {waiting} wait for the learner"
        if waiting >= self._max_backlog:
            words += ", and there is no room for more"
        if words != self._said:
            self._say(words)
        self._said = words
