"""The logs of a run name: of what was submitted under it, and of runs that were given it by `run_name`."""

from pathlib import Path
from typing import NamedTuple

from cifar_pipelines.spark.run_file import read_run_files
from cifar_pipelines.submission.contents import run_folders
from cifar_pipelines.submission.records import LOGS, submissions, submitted_names, unknown_run_name

RUN_LOG = "run.log"


class NamedLog(NamedTuple):
    """A log: when its run began, what became of it, its applications, and the file, relative to the project."""

    time: str
    state: str
    applications: str
    file: Path

    @property
    def line(self) -> str:
        """The log in a line."""
        return f"{self.time}  {self.state}  {self.applications or 'no application'}  {self.file.as_posix()}"


def require_logs(project: Path, run_name: str) -> list[NamedLog]:
    """All logs of a name, the oldest first.

    Raises:
        UserError: Nothing ran under the name; the nearest names are in it, the same that `kedro bundle` knows.
    """
    submitted = submissions(project, run_name)
    found = [
        NamedLog(record.time, record.state, " ".join(record.application_ids or ()), Path(record.log))
        for record in submitted
    ]
    in_submissions = {Path(folder).name for record in submitted for folder in record.spark_logs or ()}
    applications = {folder.name: run["application_id"] for folder, run in read_run_files(project / LOGS)}
    for folder in run_folders(project, run_name):
        if folder.name not in in_submissions:
            began = folder.name.removeprefix(f"{run_name}-").partition("-exec_")[0]
            log = (folder / RUN_LOG).relative_to(project)
            found.append(NamedLog(began, "not submitted", applications.get(folder.name) or "", log))
    if not found:
        raise unknown_run_name(run_name, known_names(project))
    return sorted(found)


def known_names(project: Path) -> set[str]:
    """All names under which something was submitted or ran."""
    return submitted_names(project) | {run["run_name"] for _, run in read_run_files(project / LOGS)} - {None}
