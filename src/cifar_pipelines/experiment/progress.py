"""How far an experiment is: a line for every step that has ended, and below them one that lives while a step runs."""

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace

from rich.console import Console
from rich.live import Live
from rich.text import Text

from cifar_pipelines.common.polling import Polling
from cifar_pipelines.experiment.expected import ExpectedSeconds
from cifar_pipelines.experiment.plan import Step

LISTEN_S = 0.5
HEARTBEAT_S = 60.0  # between two lines about a step that runs, where there is no terminal
REVISED = 1.25  # what is left may grow by this factor before it is said anew
STYLES = {"done": "green", "failed": "red", "skipped": "dim"}


@dataclass(frozen=True)
class Line:
    """A step as people see it.

    Attributes:
        step: The step.
        status: "to come", "running", "done", "skipped" or "failed".
        seconds: How long it took.
        result: What came of it, in words.
    """

    step: Step
    status: str = "to come"
    seconds: float = 0.0
    result: str = ""


class Progress:
    """Shows the steps of an experiment on a console.

    All steps are known before the first one begins, so their number never grows. The time that is said to be left does not either,
    unless a step that has ended shows that it was far too short: then a line says so.

    Args:
        console: Where to show them: in a terminal with a live line, elsewhere as plain lines.
        steps: The steps, in order.
        expected: How long they will take.
    """

    def __init__(self, console: Console, steps: Sequence[Step], expected: ExpectedSeconds | None = None) -> None:
        self.console, self.expected = console, expected or ExpectedSeconds()
        self._lines = [Line(step) for step in steps]
        self._at = 0  # the step that runs, or comes next
        self._minutes = math.inf  # the fewest that were said to be left
        self._began = self._said = 0.0
        self._words = ""
        self._lock = threading.Lock()  # a page reads what the experiment writes

    def lines(self) -> list[Line]:
        """The steps as they stand, the one that runs with its seconds so far and its last words."""
        with self._lock:
            return [self._now(line) if line.status == "running" else line for line in self._lines]

    def say(self, text: str) -> None:
        """Says a sentence above the live line."""
        self.console.print(text, soft_wrap=True, markup=False, highlight=False)

    @contextmanager
    def running(self, step: Step, last_words: Callable[[], str]) -> Iterator[None]:
        """Shows that a step runs, until the block ends.

        Args:
            step: The step, as it is run.
            last_words: What it said last.
        """
        self._began = self._said = time.monotonic()
        self._words = ""
        self._set(Line(step, "running"))
        live = Live(get_renderable=self._line, console=self.console, refresh_per_second=2, transient=True)
        if not self.console.is_interactive:
            self.say(self._line().plain)

        def listen() -> None:
            self._words = last_words()
            if not self.console.is_interactive and time.monotonic() - self._said > HEARTBEAT_S:
                self._said = time.monotonic()
                self.say(self._line().plain)

        with live if self.console.is_interactive else nullcontext(), Polling(listen, LISTEN_S):
            yield

    def ended(self, status: str, seconds: float, result: str) -> None:
        """Notes what became of the step that ran."""
        step = self._lines[self._at].step
        if status == "done":
            self.expected.learn(step, seconds)
        self._end(Line(step, status, seconds, result))
        self._revise()

    def skip(self, step: Step, why: str) -> None:
        """Notes that a step need not run, or cannot."""
        self._end(Line(step, "skipped", 0.0, why))

    def seconds_left(self) -> float | None:
        """Seconds until the last step has ended; None where they are not known."""
        to_come = [line.step for line in self._lines[self._at :]]
        rest = self.expected.of_all(to_come[1:])
        this = self.expected.of(to_come[0]) if to_come else 0.0
        return None if rest is None or this is None else max(this - self._seconds(), 0.0) + rest

    def left(self) -> str:
        """The same in words, which never grow between two steps."""
        seconds = self.seconds_left()
        if seconds is None:
            return ""
        minutes = math.ceil(seconds / 60)
        self._minutes = min(self._minutes, minutes)
        words = f"about {self._minutes} min" if self._minutes > 1 else "about a minute"
        return f"{words} {'or more ' if minutes > self._minutes else ''}left"

    def _revise(self) -> None:
        minutes = math.ceil((self.seconds_left() or 0.0) / 60)
        if minutes > max(self._minutes + 1, REVISED * self._minutes):
            self._minutes = minutes
            self.say(f"Steps take longer on this host than was expected: about {minutes} min are left.")

    def _end(self, line: Line) -> None:
        self._set(line)
        text = Text(f"{self._place()} ", style=STYLES[line.status])
        how = {"done": f"{line.seconds:.0f} s", "failed": f"failed after {line.seconds:.0f} s", "skipped": "skipped"}
        text.append(f"{name_of(line.step)}: {how[line.status]}", style="default")
        text.append(f"; {line.result}" if line.result else "", style="default")
        self.console.print(text, soft_wrap=not self.console.is_interactive, highlight=False)
        self._at += 1

    def _set(self, line: Line) -> None:
        with self._lock:
            self._lines[self._at] = line

    def _place(self) -> str:
        return f"[{self._at + 1}/{len(self._lines)}]"

    def _seconds(self) -> float:
        runs = any(line.status == "running" for line in self._lines)
        return time.monotonic() - self._began if runs else 0.0

    def _now(self, line: Line) -> Line:
        return replace(line, seconds=time.monotonic() - self._began, result=self._words)

    def _line(self) -> Text:
        step, seconds = self._lines[self._at].step, self._seconds()
        expected = self.expected.of(step) or 0.0
        of = f" of about {expected:.0f}" if expected > seconds else ""
        after = self._lines[self._at + 1 :]
        times = f"{seconds:.0f}{of} s"
        then = f"then {name_of(after[0].step)}" if after else ""
        said = ", ".join(filter(None, (times, self.left(), then)))
        words = f": {self._words}" if self._words else ""
        return Text(f"{self._place()} {name_of(step)}: {said}{words}", no_wrap=True, overflow="ellipsis")


def name_of(step: Step) -> str:
    """What people call a step."""
    return f"{step.setting}, {step.what}" if step.repeat else step.what
