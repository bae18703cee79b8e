"""The submission of a run: checked first, then run as a process of its own, with its log kept."""

import os
import re
import shlex
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cifar_pipelines.common import whole_files
from cifar_pipelines.common.configuration import PROJECT_PATH, conf_source_arguments
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.git import changes
from cifar_pipelines.common.params import parse_params
from cifar_pipelines.common.processes import guarded_kedro
from cifar_pipelines.families import families_of, require_pipelines, unasked_names
from cifar_pipelines.records.provenance import git_revision
from cifar_pipelines.spark.environment import checked_configuration, setting_under
from cifar_pipelines.spark.master import reach_master
from cifar_pipelines.spark.run_file import SUBMISSION, read_run_files
from cifar_pipelines.submission.records import LOGS, SubmissionRecord

LOG = "submit.log"
CHANGES = "changes.diff"
POLL_S = 0.1
INTERRUPTED = 130
_LEGAL_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Submission:
    """What is asked for.

    Attributes:
        master: Address of the Master.
        run_name: Leads the name of the Spark application and of the log folders.
        pipelines: The pipelines; empty for all of them.
        environment: The environment with the parallelism setting; None for Kedro's default.
        params_text: What is given with `--params`, as it is typed.
    """

    master: str
    run_name: str
    pipelines: tuple[str, ...] = ()
    environment: str | None = None
    params_text: str = ""

    def check(self) -> None:
        """Checks name, pipelines, environment, parameters and Master, before anything starts.

        Raises:
            UserError: For the first mistake.
        """
        check_run_name(self.run_name)
        require_pipelines(self.pipelines)
        given = parse_params(self.params_text)
        for key, option in (("spark_master", "--master"), ("run_name", "--run-name")):
            if key in given:
                raise UserError(f"--params holds {key}, which {option} gives already. Leave it out of --params.")
        loader = checked_configuration(self.environment, given)
        setting = setting_under(self.environment, loader)
        for family in families_of(self.pipelines or unasked_names()):
            family.check(loader["parameters"], setting)
        if "," in self.master:
            raise UserError(
                f"--master is {self.master!r}, but must be one address: a comma would part the parameters of the run. "
                "Name the Master that is alive, as its web page says."
            )
        reach_master(self.master)

    def arguments(self) -> list[str]:
        """Arguments of the kedro command that runs it."""
        params = [f"spark_master={self.master}", f"run_name={self.run_name}"]
        if self.params_text.strip(", "):
            params.append(self.params_text)
        chosen = ["--pipelines", ",".join(self.pipelines)] if self.pipelines else []
        environment = ["--env", self.environment] if self.environment else []
        return ["run", *chosen, *environment, "--params", ",".join(params), *conf_source_arguments()]


def check_run_name(name: str) -> None:
    """Raises a `UserError` for a name that cannot lead the name of a folder, or that is read as something else."""
    if not _LEGAL_NAME.fullmatch(name):
        raise UserError(
            f"The run name is {name!r}, but must consist of letters, digits, - and _, begin with no -, and have at most 64 "
            "of them, such as roll_4711."
        )
    if name == "null":
        raise UserError("The run name 'null' would be read as no name. Put a word before it, such as roll_null.")


def run_submission(submission: Submission, show: Callable[[bytes], object]) -> SubmissionRecord:
    """Runs a checked submission and shows what it prints; what became of it is also written beside the log."""
    record = _begin(submission)
    log = PROJECT_PATH / record.log
    try:
        own = {SUBMISSION: record.name}
        with log.open("ab") as target, guarded_kedro(submission.arguments(), PROJECT_PATH, target, own) as process:
            record.exit_status = _follow(process, log, show)
        record.status = "failed" if record.exit_status else "done"
    except KeyboardInterrupt:
        record.status, record.exit_status = "interrupted", INTERRUPTED
    finally:
        record.ended = _now().isoformat(timespec="seconds")
        runs = [run for run in read_run_files(PROJECT_PATH / LOGS) if run[1]["submission"] == record.name]
        record.application_ids = [run["application_id"] for _, run in runs]
        record.spark_logs = [folder.relative_to(PROJECT_PATH).as_posix() for folder, _ in runs]
        record.write(PROJECT_PATH)
    return record


def _begin(submission: Submission) -> SubmissionRecord:
    """Makes the folder of a submission, with its record and what the code has that no commit has."""
    started = _now()
    stamp = started.strftime("%Y-%m-%dT%H.%M.%S.%f")[:-3] + "Z"
    folder = PROJECT_PATH / LOGS / submission.run_name / stamp
    folder.mkdir(parents=True)
    command = ["kedro", *submission.arguments()]
    (folder / LOG).write_text(f"$ {shlex.join(command)}\n", encoding="utf-8")
    record = SubmissionRecord(
        run_name=submission.run_name,
        time=stamp,
        master=submission.master,
        pipelines=list(submission.pipelines),
        environment=submission.environment,
        params=submission.params_text,
        command=command,
        git_revision=git_revision(),
        log=os.path.relpath(folder / LOG, PROJECT_PATH),
        host=socket.gethostname(),
        pid=os.getpid(),
        started=started.isoformat(timespec="seconds"),
    )
    if (record.git_revision or "").endswith("+changes"):
        whole_files.write_bytes(folder / CHANGES, changes(PROJECT_PATH, "HEAD"))
    record.write(PROJECT_PATH)
    return record


def _follow(process: subprocess.Popen, log: Path, show: Callable[[bytes], object]) -> int:
    """Shows what a log gains until its process has ended.

    The file is read, not a pipe: a daemon that outlives the run could hold a pipe open for ever.
    """
    with log.open("rb") as source:
        while True:
            status = process.poll()
            if text := source.read():
                show(text)
            if status is not None:
                return status
            time.sleep(POLL_S)


def _now() -> datetime:
    return datetime.now(UTC)
