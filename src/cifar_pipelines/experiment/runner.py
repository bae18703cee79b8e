"""Runs the steps of an experiment, each in a fresh process, whose lines go into a log file."""

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cifar_pipelines.common.errors import ERROR_FILE
from cifar_pipelines.common.processes import guarded_kedro
from cifar_pipelines.common.words import one_line
from cifar_pipelines.experiment.plan import Step
from cifar_pipelines.experiment.progress import Progress

_SAID = re.compile(
    r"^(?:\[[^\]]*\])?\s+INFO {2,}(\S.*)"
)  # by the pipelines; what Spark, BigDL and torch print has another form


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
    """Runs steps and shows how far they are.

    Args:
        project: Folder of the project, in which the commands run.
        log_dir: Folder for one log file per step.
        progress: Shows them.
    """

    def __init__(self, project: Path, log_dir: Path, progress: Progress) -> None:
        self.project, self.log_dir, self.progress = project, log_dir, progress
        self.outcomes: list[Outcome] = []

    def skip(self, step: Step, why: str) -> None:
        """Notes a step that need not run."""
        self.outcomes.append(Outcome(step, "skipped", reason=why))
        self.progress.skip(step, why)

    def run(self, step: Step, result: Callable[[], str] = str) -> Outcome:
        """Runs a step to its end; a failure is kept, not raised.

        Args:
            step: The step.
            result: Says, once it has ended well, what came of it.
        """
        number = len(self.outcomes) + 1
        self.log_dir.mkdir(parents=True, exist_ok=True)
        log = self.log_dir / f"{number:02d}-{step.setting}-{'-'.join(step.pipelines)}.log"
        error = log.with_suffix(".error")
        started = time.monotonic()
        with (
            log.open("wb") as target,
            guarded_kedro(step.arguments(), self.project, target, {ERROR_FILE: str(error.absolute())}) as process,
            self.progress.running(step, lambda: _last_words(log)),
        ):
            status = process.wait()
        seconds = time.monotonic() - started
        reason = _reason(error, log) if status else ""
        outcome = Outcome(step, "failed" if status else "done", seconds, log, reason)
        self.outcomes.append(outcome)
        said = f"{reason} (log: {os.path.relpath(log)})" if status else result()
        self.progress.ended(outcome.status, seconds, said)
        return outcome


def _reason(error: Path, log: Path) -> str:
    """The error that the command ended with, on one line; what it printed last where it did not end with one."""
    return " ".join(error.read_text(encoding="utf-8").split()) if error.is_file() else _last_line(log)


def _last_line(log: Path) -> str:
    return next((one_line(line, 300) for line in reversed(_lines(log)) if line.strip()), "")


def _last_words(log: Path) -> str:
    """What the pipelines said last, of all that a step printed."""
    return next((found[1].strip() for line in reversed(_lines(log)) if (found := _SAID.search(line))), "")


def _lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8", errors="replace").split("\n")
