"""Processes that tests start, watch and kill."""

import time
from collections.abc import Callable, Iterable
from typing import Any

import psutil


def wait_until(condition: Callable[[], Any], seconds: float) -> Any:
    """Asks until the condition holds or the time is over; returns what it said last."""
    deadline = time.monotonic() + seconds
    while not (held := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return held


def command(process: psutil.Process) -> str:
    """The command line; empty for a process that has ended, or whose parent has yet to notice that it has."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def alive(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running() and command(process)]


def descendants_of(process) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def executors_of(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """The JVMs among them that are Spark's executors."""
    found = {
        process.pid: process
        for process in processes
        if (words := command(process).split())
        and words[0].endswith("java")
        and any("CoarseGrainedExecutorBackend" in word for word in words)
    }
    # One that starts a process is there twice for a moment: the child has its command line until it begins its own.
    return [process for process in found.values() if _parent_of(process) not in found]


def _parent_of(process: psutil.Process) -> int | None:
    try:
        return process.ppid()
    except psutil.Error:
        return None


def read_until(process, words: str) -> str:
    """Reads what a process prints until it has said these words, however its lines are broken."""
    seen = ""
    while words not in " ".join(seen.split()):
        line = process.stdout.readline()
        assert line, seen
        seen += line
    return seen


def finish(process, timeout=120) -> str:
    """Waits for the end of a process and returns what it printed."""
    output, _ = process.communicate(timeout=timeout)
    return output
