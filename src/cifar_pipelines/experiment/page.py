"""A page that shows how far an experiment is, served to this host alone while it runs.

The page asks for the state every two seconds and says which one it has (ETag), so that nothing is sent twice and no connection is
held: nothing hangs when the experiment ends or is stopped. At the end it turns into the report.
"""

import hashlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any

from cifar_pipelines.common.configuration import PROJECT_PATH
from cifar_pipelines.common.places import place
from cifar_pipelines.experiment.plan import Experiment
from cifar_pipelines.experiment.progress import Progress, name_of
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.shelf import RecordShelf

HOST = "127.0.0.1"
POLICY = "default-src 'none'; connect-src 'self'; img-src 'self' data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
MOST_PLOTS = 24
FAREWELL_S = 3.0  # in which a browser that looks on learns that it is over
Answer = tuple[str, bytes]  # type, content


class Watched:
    """What the page shows of an experiment.

    Args:
        experiment: The experiment.
        progress: Its steps.
    """

    def __init__(self, experiment: Experiment, progress: Progress) -> None:
        self._progress, self._began = progress, time.time()
        self._shelf = RecordShelf(PROJECT_PATH / place("run_records"))
        self._experiment = experiment
        self._reporting = PROJECT_PATH / place("reporting_folder")
        self._report = PROJECT_PATH / place("comparison_html")
        self._found: tuple[int, list[dict[str, Any]], list[Path]] = (-1, [], [])  # until so many steps had ended
        self._lock = threading.Lock()
        self.over = False

    def state(self) -> dict[str, Any]:
        """All that the page shows, as JSON holds it; between two ends of steps only seconds and words change."""
        lines = self._progress.lines()
        ended = sum(line.status not in ("running", "to come") for line in lines)
        table, plots = self._look(ended)
        steps = [
            {"name": name_of(line.step), "status": line.status, "seconds": round(line.seconds), "result": line.result}
            for line in lines
        ]
        left = "" if self.over else self._progress.left()
        return {
            "steps": steps, "left": left, "over": self.over, "table": table,
            "plots": [{"name": file.stem.replace("_", " "), "of": _model_of(file)} for file in plots],
            "report": self._is_new(self._report),
        }  # fmt: skip

    def plot(self, number: str) -> bytes | None:
        """The image of a plot by its number in the state."""
        plots = self._found[2]
        return (
            plots[int(number)].read_bytes()
            if number.isascii() and number.isdigit() and int(number) < len(plots)
            else None
        )

    def report(self) -> bytes | None:
        """The report, once this experiment has written it."""
        return self._report.read_bytes() if self._is_new(self._report) else None

    def _look(self, ended: int) -> tuple[list[dict[str, Any]], list[Path]]:
        """Records and plots, looked for when a step has ended."""
        with self._lock:
            if self._found[0] != ended:
                self._found = (ended, self._table(), self._plots())
            return self._found[1:]

    def _table(self) -> list[dict[str, Any]]:
        expected = self._experiment.expected()  # which changes with the stream that a step lets land
        found = [
            record
            for setting in self._experiment.settings
            for family, models in expected.items()
            for model, digest in models.items()
            for record in self._shelf.matching(setting, family, model, digest)[-1:]
        ]
        return sorted(map(_row, found), key=lambda row: (row["right"] is None, -(row["right"] or 0)))

    def _plots(self) -> list[Path]:
        new = [file for file in self._reporting.rglob("*.png") if self._is_new(file)]
        return sorted(new, key=lambda file: file.stat().st_mtime)[-MOST_PLOTS:]

    def _is_new(self, file: Path) -> bool:
        return file.is_file() and file.stat().st_mtime >= self._began


@contextmanager
def serve_page(watched: Watched) -> Iterator[str]:
    """Serves the page of an experiment while the block runs.

    Yields:
        Its address.
    """
    handler = type("Handler", (_Handler,), {"watched": watched, "page": _page(), "asked_at": 0.0})
    server = _Server((HOST, 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}/"
        watched.over = True
        if time.monotonic() - handler.asked_at < 2 * FAREWELL_S:
            time.sleep(FAREWELL_S)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _row(record: RunRecord) -> dict[str, Any]:
    """A record as a row of the table: an extraction has no share of right images."""
    right = None if record.is_extraction else record.score("accuracy.value")
    name = f"{record.family}: {record.model}" if right is None else record.model
    return {"model": name, "setting": record.parallelism.setting, "right": right, "seconds": min(record.times_s)}


def _page() -> bytes:
    return files(__package__).joinpath("page.html").read_bytes()


def _model_of(plot: Path) -> str:
    """The folder of a plot that says whose it is: `<model>/<plot>.png/<version>/<plot>.png`, or `comparison/<plot>.png`."""
    above = plot.parents[2] if plot.parents[1].suffix == ".png" else plot.parent
    return above.name


class _Server(ThreadingHTTPServer):
    """A server that says nothing of browsers that leave in the middle of an answer."""

    def handle_error(self, *request: Any) -> None:
        """Prints what went wrong, but not on the experiment's terminal that a tab was closed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(*request)


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD for four kinds of places, and nothing else."""

    watched: Watched
    page: bytes
    asked_at: float
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        """Sends what is asked for; 304 where the browser has it."""
        if self.headers.get("Host") not in {f"{name}:{self.server.server_port}" for name in (HOST, "localhost")}:
            self._send(403, ("text/plain", b"This page is for its own host alone."))
            return
        try:
            answer = self._answer(self.path.partition("?")[0])
        except OSError:  # such as a plot that was removed
            answer = None
        self._send(404 if answer is None else 200, answer or ("text/plain", b"There is nothing here."))

    do_HEAD = do_GET  # noqa: N815

    def _answer(self, path: str) -> Answer | None:
        kinds: Mapping[str, Callable[[], Answer | None]] = {
            "/": lambda: ("text/html; charset=utf-8", self.page),
            "/state": self._state,
            "/report.html": lambda: _if_there("text/html; charset=utf-8", self.watched.report()),
        }
        if path.startswith("/plot/"):
            return _if_there("image/png", self.watched.plot(path.removeprefix("/plot/")))
        return kinds[path]() if path in kinds else None

    def _state(self) -> Answer:
        type(self).asked_at = time.monotonic()
        return "application/json", json.dumps(self.watched.state()).encode()

    def _send(self, status: int, answer: Answer) -> None:
        kind, content = answer
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        if status == 200 and self.headers.get("If-None-Match") == tag:
            status, content = 304, b""
        self.send_response(status)
        headers = {
            "Content-Type": kind, "ETag": tag, "Cache-Control": "no-cache", "Content-Security-Policy": POLICY,
            "X-Content-Type-Options": "nosniff",
        }  # fmt: skip
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Says nothing: the terminal is the experiment's."""


def _if_there(kind: str, content: bytes | None) -> Answer | None:
    return None if content is None else (kind, content)
