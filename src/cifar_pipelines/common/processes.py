"""A kedro command as a process of its own, which ends when this process does."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from cifar_pipelines.common import guardian


@contextmanager
def guarded_kedro(arguments: Sequence[str], project: Path, log: IO[bytes]) -> Iterator[subprocess.Popen]:
    """Starts a kedro command under a guardian, which ends it with all it started when this process is gone.

    Args:
        arguments: Arguments of the kedro command.
        project: Folder of the project, in which the command runs.
        log: Gets what the command prints.

    Yields:
        The guardian; its exit status is the command's.
    """
    command = [sys.executable, "-m", "kedro", *arguments]
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", guardian.__file__, *command],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=project,
        env={**os.environ, "COLUMNS": "200", "PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.stdin.close()
        try:
            process.wait(timeout=guardian.GRACE_S + 10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
