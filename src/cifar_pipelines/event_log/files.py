"""The files that an event log consists of: one, or many when Spark rolls it."""

import re
from collections.abc import Iterator
from pathlib import Path

from cifar_pipelines.common.errors import UserError

_FIRST_BYTES = b'{"Event":"'
_PART = re.compile(r"events_(\d+)_.+?(\.compact)?(\.inprogress)?$")
REMEDY = (
    "Name the file of an uncompressed event log of Spark 3 (spark.eventLog.enabled=true, "
    "spark.eventLog.compress=false), or the folder eventlog_v2_<application> of a rolled one."
)


def log_files(path: Path) -> tuple[list[Path], list[str]]:
    """The files of a log in their order, and notes about files that Spark has removed.

    Raises:
        UserError: If there is no such log.
    """
    if not path.exists():
        raise UserError(f"There is no event log {path}. {REMEDY}")
    if path.is_file():
        return [path], []
    parts = [(found, file) for file in path.iterdir() if (found := _PART.match(file.name))]
    if not parts:
        raise UserError(f"The folder {path} holds no file events_<n>_<application>. {REMEDY}")
    # A compacted file stands for itself and for all before it.
    parts.sort(key=lambda part: (int(part[0][1]), bool(part[0][2])))
    compacted = [place for place, (found, _) in enumerate(parts) if found[2]]
    notes = []
    if compacted:
        parts = parts[compacted[-1] :]
        notes.append("Spark has compacted the log: jobs that had ended by then are not in it.")
    elif int(parts[0][0][1]) > 1:
        notes.append(f"The log begins with file {parts[0][0][1]}: earlier files are missing.")
    return [file for _, file in parts], notes


def require_event_log(file: Path) -> None:
    """Raises a `UserError` if the file does not begin as an event log does; an empty one passes."""
    with file.open("rb") as stream:
        start = stream.read(len(_FIRST_BYTES))
    if start and start != _FIRST_BYTES:
        raise UserError(f"{file} is no event log: it does not begin with {_FIRST_BYTES.decode()}. {REMEDY}")


def log_lines(file: Path) -> Iterator[str]:
    """The lines of a file that hold something."""
    with file.open(encoding="utf-8", errors="replace") as stream:
        for line in stream:
            if line := line.strip():
                yield line
