"""Runs the steps of an experiment, each in a fresh process, and shows how far it is."""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.text import Text

from cifar_pipelines.common.errors import ERROR_FILE
from cifar_pipelines.common.processes import guarded_kedro
from cifar_pipelines.common.words import one_line
from cifar_pipelines.experiment.plan import Step

logger = logging.getLogger(__name__)

POLL_S = 0.2


@dataclass(frozen=True)
class Outcome:
    """What became of a step.

    Attributes:
        step: The step.
        status: "done", "skipped" or "failed".
        seconds: How long it took.
        log: Its log file; None where it did not run.
        reason: Why it failed or was skipped; may be empty.
    """

    step: Step
    status: str
    seconds: float = 0.0
    log: Path | None = None
    reason: str = ""


class StepRunner:
    """Runs steps and reports them on a console.

    Args:
        project: Folder of the project, in which the commands run.
        log_dir: Folder for one log file per step.
        console: Where to report.
        total: Number of steps, for the progress display.
    """

    def __init__(self, project: Path, log_dir: Path, console: Console, total: int) -> None:
        self.project, self.log_dir = project, log_dir
        self.console, self.total = console, total
        self.outcomes: list[Outcome] = []

    def skip(self, step: Step, why: str) -> None:
        """Notes a step that need not run."""
        self.outcomes.append(Outcome(step, "skipped", reason=why))
        self._say(step, f"skipped: {why}")

    def run(self, step: Step, show_output: bool = False) -> Outcome:
        """Runs a step to its end; a failure is kept, not raised. What it printed can be shown once it has ended."""
        number = len(self.outcomes) + 1
        self.log_dir.mkdir(parents=True, exist_ok=True)
        log = self.log_dir / f"{number:02d}-{step.setting}-{'-'.join(step.pipelines)}.log"
        error = log.with_suffix(".error")
        started = time.monotonic()
        with (
            log.open("wb") as target,
            guarded_kedro(step.arguments(), self.project, target, {ERROR_FILE: str(error.absolute())}) as process,
            self._display(step, log, started),
        ):
            status = process.wait()
        seconds = time.monotonic() - started
        outcome = Outcome(step, "failed" if status else "done", seconds, log, _reason(error, log) if status else "")
        self.outcomes.append(outcome)
        if show_output and not status:
            self.console.print(Text(log.read_text(encoding="utf-8", errors="replace")), soft_wrap=True)
        words = f"{outcome.status} after {seconds:.0f} s"
        self._say(step, f"{words}: {outcome.reason} (log: {os.path.relpath(log)})" if status else words)
        return outcome

    def _say(self, step: Step, words: str) -> None:
        self.console.print(f"{self._place(len(self.outcomes))} {_name(step)}: {words}", soft_wrap=True, markup=False)

    def _place(self, number: int) -> str:
        return f"[{number}/{max(self.total, number)}]"

    @contextmanager
    def _display(self, step: Step, log: Path, started: float) -> Iterator[None]:
        """In a terminal, a live line with the step, its last words and the time that is left."""
        if not self.console.is_terminal:
            yield
            return

        def line() -> Text:
            now = time.monotonic()
            text = f"{self._place(len(self.outcomes) + 1)} {_name(step)}, {now - started:.0f} s"
            if left := self._seconds_left(now - started):
                text += f", about {left / 60:.0f} min left in all"
            return Text(f"{text}: {_last_line(log)}", overflow="ellipsis", no_wrap=True)

        with Live(get_renderable=line, console=self.console, refresh_per_second=2, transient=True):
            yield

    def _seconds_left(self, running: float) -> float:
        """By the mean of the steps that ran; 0 before the first of them has ended."""
        ran = [outcome.seconds for outcome in self.outcomes if outcome.status == "done"]
        if not ran:
            return 0.0
        mean = sum(ran) / len(ran)
        return max(mean - running, 0) + mean * max(self.total - len(self.outcomes) - 1, 0)


def _name(step: Step) -> str:
    return f"{step.setting}, {step.what} ({', '.join(step.pipelines)})"


def _reason(error: Path, log: Path) -> str:
    """The error that the command ended with, on one line; what it printed last where it did not end with one."""
    return " ".join(error.read_text(encoding="utf-8").split()) if error.is_file() else _last_line(log)


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((one_line(line, 300) for line in reversed(lines) if line.strip()), "")
