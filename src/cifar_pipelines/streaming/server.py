"""The server of a stream: takes clients in, each in a thread of its own, and says how far they are."""

import errno
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from cifar_pipelines.common.disk import disk_error
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.polling import Polling
from cifar_pipelines.common.words import counted
from cifar_pipelines.streaming.connection import Connection, GoneError, addresses_of
from cifar_pipelines.streaming.session import LOOK_S, Service, Session
from cifar_pipelines.streaming.shared_secret import require_secret_beyond_loopback
from cifar_pipelines.streaming.wire import sealed

MAX_CLIENTS = 16
PROGRESS_S = 5.0
STOP_S = 2.0  # for clients that are being served


class StreamServer:
    """Listens from its construction on; use it as a context manager, and call `serve`.

    Args:
        service: What clients get.
        host: Where to listen. Beyond this machine only with a secret.
        port: Likewise; 0 takes a free one.
        say: Gets a line for people whenever something happens.

    Raises:
        UserError: If there is no such address here, the port is taken, or the network could reach it without a secret.
    """

    def __init__(self, service: Service, host: str, port: int, say: Callable[[str], None]) -> None:
        require_secret_beyond_loopback(host, service.secret)
        self._service, self._say = service, say
        self._sessions: dict[Session, threading.Thread] = {}
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._served = False  # whether a client has the whole stream
        self._socket = _listening(host, port)
        self._socket.settimeout(LOOK_S)
        self.address: str = "{}:{}".format(*self._socket.getsockname()[:2])

    def __enter__(self) -> "StreamServer":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self.stop()
        for thread in list(self._sessions.values()):
            thread.join(STOP_S)

    def stop(self) -> None:
        """Ends `serve`; what a client keeps it keeps."""
        self._stopping.set()

    def serve(self) -> None:
        """Serves until a client has the whole stream and none is connected any more, or until `stop`.

        Raises:
            UserError: If images cannot be read.
        """
        with Polling(_Progress(self._sessions, self._service, self._say).look, PROGRESS_S):
            while not self._stopping.is_set() and not (self._served and not self._sessions):
                if self._failure is not None:
                    raise disk_error(self._failure) or self._failure
                with suppress(TimeoutError):
                    self._take_in(self._socket.accept()[0])

    def _take_in(self, sock: socket.socket) -> None:
        if len(self._sessions) >= MAX_CLIENTS:
            with sock, suppress(OSError):
                sock.sendall(sealed({"error": f"There are {MAX_CLIENTS} clients already.", "final": False}))
            return
        try:
            session = Session(Connection(sock, self._service.patience), self._service, self._stopping)
        except OSError:  # it left at once
            sock.close()
            return
        thread = threading.Thread(target=self._attend, args=(session,), daemon=True)
        self._sessions[session] = thread
        thread.start()

    def _attend(self, session: Session) -> None:
        """Runs a session; only what is wrong with the images ends the server."""
        peer = session.connection.peer
        self._say(f"{peer} came.")
        try:
            session.run()
            kept = f"all {counted(session.landed, 'frame')}" if session.done else f"{counted(session.landed, 'frame')}"
            self._say(f"{peer} keeps {kept}.")
        except GoneError as error:
            self._say(f"{peer} left after frame {session.landed}: {error}.")
        except Exception as error:
            self._failure = error
        finally:
            session.connection.close()
            self._served |= session.done
            del self._sessions[session]


class _Progress:
    """Says how far every client is, where that has changed."""

    def __init__(self, sessions: dict[Session, threading.Thread], service: Service, say: Callable[[str], None]) -> None:
        self._sessions, self._stream, self._say = sessions, service.stream, say
        self._before: dict[Session, tuple[float, int]] = {}
        self._said: dict[Session, str] = {}

    def look(self) -> None:
        """Says one line for each client."""
        total = f" of {self._stream.last}" if self._stream.last else ""
        for session in list(self._sessions):
            now, images = time.monotonic(), session.images
            then, before = self._before.get(session, (now - PROGRESS_S, 0))
            rate = (images - before) / max(now - then, 1e-9)
            self._before[session] = now, images
            words = (
                f"frame {session.landed}{total} landed, {counted(images, 'image')}, {rate:,.0f} images/s; waits for "
            )
            words += session.waits_for
            if self._said.get(session) != words:
                self._say(f"{session.connection.peer}: {words}")
            self._said[session] = words


def _listening(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise UserError(f"The port is {port}, but must be from 0, for a free one, to 65535.")
    family, address = addresses_of(host)[0]
    try:
        return socket.create_server((address, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UserError(
                f"Port {port} of {host} is in use by another program. Give another one with --port, or 0 for a free one."
            ) from error
        raise UserError(
            f"{host}:{port} cannot be listened at: {error.strerror}. Give an address of this machine and a port above 1023."
        ) from error
