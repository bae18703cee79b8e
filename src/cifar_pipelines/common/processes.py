"""Processes that end, with all they started, when this process does."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import IO

from cifar_pipelines.common import guardian

PATIENCE_S = guardian.GRACE_S + 10


def start_guarded(
    command: Sequence[str], log: IO[bytes], environment: Mapping[str, str], folder: Path | None = None
) -> subprocess.Popen:
    """Starts a command under a guardian, which ends it with all its descendants when this process is gone.

    Args:
        command: The command and its arguments.
        log: Gets what the command prints.
        environment: What its environment has besides, or otherwise than, that of this process.
        folder: Where the command runs; None for the working directory.

    Returns:
        The guardian; its exit status is the command's. Its standard input is the pipe by which it knows of this process.
    """
    return subprocess.Popen(
        [sys.executable, "-I", "-S", guardian.__file__, *command],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env={**os.environ, **environment},
        start_new_session=True,
    )


def end_guarded(*guardians: subprocess.Popen) -> None:
    """Ends guarded processes, all at the same time, and waits for them."""
    for process in guardians:
        process.stdin.close()
    for process in guardians:
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:  # where another process has inherited the pipe, it does not close
            os.killpg(process.pid, signal.SIGTERM)
            time.sleep(guardian.GRACE_S)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def guarded_kedro(
    arguments: Sequence[str], project: Path, log: IO[bytes], environment: Mapping[str, str] = MappingProxyType({})
) -> Iterator[subprocess.Popen]:
    """Runs a kedro command in the folder of the project as `start_guarded` does; it ends with the block."""
    command = [sys.executable, "-m", "kedro", *arguments]
    process = start_guarded(
        command, log, {"COLUMNS": "200", "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", **environment}, project
    )
    try:
        yield process
    finally:
        end_guarded(process)
