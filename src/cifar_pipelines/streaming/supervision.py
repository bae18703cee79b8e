"""Servers and receivers of streams in processes of their own, which end with this process."""

import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cifar_pipelines.common.configuration import PROJECT_PATH, conf_source_arguments
from cifar_pipelines.common.errors import ERROR_FILE, UserError
from cifar_pipelines.common.polling import Polling
from cifar_pipelines.common.processes import guarded_kedro
from cifar_pipelines.common.words import counted

RESTARTS = 5  # one after the other, before it has run well
WELL_S = 60.0
LOOK_S = 0.2
START_S = 300.0  # for a server to read what it serves, on a busy host too
BATCH_SIZE = 128  # images of a frame that a run serves itself
_ADDRESS = re.compile(r" on (127\.0\.0\.1:\d+):")


class SupervisedReceiver:
    """Runs `kedro stream receive`; use it as a context manager.

    It is a process, because a thread would take turns with the driver of a run; and it is the command that people type, so
    that both do the same.

    Args:
        addresses: Where the servers are, as `host:port`.
        folder: Where frames land.
        max_backlog: How many frames may wait for the learner.
        away_s: For how long a server may be away.
        log: Gets what the receiver prints.
    """

    def __init__(self, addresses: Sequence[str], folder: Path, max_backlog: int, away_s: float, log: Path) -> None:
        into = ["--into", str(folder.absolute()), "--max-backlog", str(max_backlog), "--away", f"{away_s:g}"]
        self._arguments = ["stream", "receive", *addresses, *into]
        self._log, self._error = log, log.with_suffix(".error")
        self._stack = ExitStack()
        self._polling = Polling(self._look, LOOK_S)
        self.restarts = 0
        self._begun = 0.0
        self.has_ended = False  # whether all streams have ended
        self._failure = ""

    def __enter__(self) -> "SupervisedReceiver":
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._error.unlink(missing_ok=True)
        self._start()
        self._polling.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._polling.stop()
        self._stack.close()

    def require_well(self) -> None:
        """Raises a `UserError` if the receiver has failed, with its own words."""
        if self._failure:
            raise UserError(self._failure)

    def _start(self) -> None:
        log = self._stack.enter_context(self._log.open("ab"))
        own = {ERROR_FILE: str(self._error.absolute())}
        self._begun = time.monotonic()
        self._process = self._stack.enter_context(guarded_kedro(self._arguments, PROJECT_PATH, log, own))

    def _look(self) -> None:
        status = self._process.poll()
        if status is None or self.has_ended or self._failure:
            return
        if status == 0:
            self.has_ended = True
            return
        if self._error.exists():
            self._failure = self._error.read_text(encoding="utf-8")
            return
        if time.monotonic() - self._begun > WELL_S:
            self.restarts = 0
        if self.restarts == RESTARTS:
            self._failure = f"The receiver ended {counted(RESTARTS + 1, 'time')} with status {status}, never after {WELL_S:g} s or more; its log is {self._log}."
            return
        self.restarts += 1
        self._start()


@dataclass(frozen=True)
class Served:
    """A server that runs.

    Attributes:
        address: Where it is, as `host:port`.
    """

    address: str
    _process: subprocess.Popen
    _said: Callable[[], str]

    def require_well(self) -> None:
        """Raises a `UserError` if the server has failed, with its own words."""
        if self._process.poll():
            raise UserError(f"The server of the stream has ended with status {self._process.poll()}. {self._said()}")


@contextmanager
def served(params: str, rate: float, log: Path) -> Iterator[Served]:
    """Runs `kedro stream serve` on a free port of loopback while the block runs.

    Args:
        params: Which images, as one types them after `--params`.
        rate: Images per second.
        log: Gets what the server prints.

    Yields:
        The server.

    Raises:
        UserError: If it does not start, with its own words.
    """
    arguments = ["stream", "serve", "--port", "0", "--rate", f"{rate:g}", "--batch-size", str(BATCH_SIZE)]
    arguments += ["--params", params, *conf_source_arguments()]
    log.parent.mkdir(parents=True, exist_ok=True)
    error = log.with_suffix(".error")
    error.unlink(missing_ok=True)
    own = {ERROR_FILE: str(error.absolute())}

    def said() -> str:
        return error.read_text(encoding="utf-8") if error.exists() else f"Its log is {log}."

    with log.open("wb") as file, guarded_kedro(arguments, PROJECT_PATH, file, own) as process:
        begun = time.monotonic()
        while not (found := _ADDRESS.search(log.read_text(encoding="utf-8", errors="replace"))):
            if process.poll() is not None or time.monotonic() - begun > START_S:
                raise UserError(f"The server of the stream did not start. {said()}")
            time.sleep(LOOK_S)
        yield Served(found[1], process, said)
