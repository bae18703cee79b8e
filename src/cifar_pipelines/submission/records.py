"""Records of submissions: `submission.json`, beside the log."""

import json
import socket
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import psutil

from cifar_pipelines.common import whole_files
from cifar_pipelines.common.errors import UserError, unknown_name

LOGS = "logs"
RECORD = "submission.json"
RUNNING = "running"


@dataclass
class SubmissionRecord:
    """One submission.

    Attributes:
        run_name: Its name.
        time: When it was submitted, which also names its folder.
        master: Address of the Master.
        pipelines: The pipelines; empty for all of them.
        environment: The environment; None for Kedro's default.
        params: What was given with `--params`.
        command: The command that ran.
        git_revision: The code that ran; None outside of git.
        log: The log, relative to the project.
        host: Where it was submitted.
        pid: The process that waits for the run.
        started: When the run started.
        ended: When it ended.
        status: "running", "done", "failed" or "interrupted".
        exit_status: Exit status of the run.
        application_ids: Spark's ids of its applications, as the Master's page shows them.
        spark_logs: Folders with the runs' own logs and Spark's event logs, relative to the project.
    """

    run_name: str
    time: str
    master: str
    pipelines: list[str]
    environment: str | None
    params: str
    command: list[str]
    git_revision: str | None
    log: str
    host: str
    pid: int
    started: str
    ended: str | None = None
    status: str = RUNNING
    exit_status: int | None = None
    application_ids: list[str] | None = None
    spark_logs: list[str] | None = None

    @property
    def name(self) -> str:
        """What tells it from all other submissions."""
        return f"{self.run_name}/{self.time}"

    @property
    def state(self) -> str:
        """The status in words; a submission whose process is gone without a word is not running."""
        if self.status == "failed":
            return f"failed ({self.exit_status})"
        if self.status == RUNNING and self.host == socket.gethostname() and not psutil.pid_exists(self.pid):
            return "ended without a word"
        return self.status

    def write(self, project: Path) -> None:
        """Writes the record beside its log; a reader sees the old one or the new one, whole."""
        whole_files.write_json((project / self.log).with_name(RECORD), asdict(self), indent=2)

    @classmethod
    def read(cls, file: Path) -> "SubmissionRecord | None":
        """Reads a record; None if it is none."""
        try:
            content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            known = {field.name for field in fields(cls)}
            return cls(**{key: value for key, value in content.items() if key in known})
        except (OSError, ValueError, TypeError, AttributeError):
            return None


def submissions(project: Path, run_name: str) -> list[SubmissionRecord]:
    """All submissions of a name, oldest first."""
    files = sorted((project / LOGS / run_name).glob(f"*/{RECORD}"))
    return [record for file in files if (record := SubmissionRecord.read(file)) is not None]


def submitted_names(project: Path) -> set[str]:
    """The names under which something was submitted."""
    return {file.parents[1].name for file in (project / LOGS).glob(f"*/*/{RECORD}")}


def unknown_run_name(run_name: str, known: set[str]) -> UserError:
    """The error to raise for a run name under which nothing ran, with the nearest of the names that there are."""
    remedy = "`kedro submit --run-name` gives a run its name."
    if not known:
        return UserError(f"Unknown run name {run_name!r}: nothing was submitted yet. {remedy}")
    return unknown_name("run name", run_name, known, remedy)
