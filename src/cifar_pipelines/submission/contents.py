"""The contents of the bundle of a run name: logs, reports, run records, code."""

import io
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from glob import escape
from pathlib import Path, PurePosixPath

from cifar_pipelines.common.git import GitError, changes, git, untracked_code
from cifar_pipelines.common.json_folder import json_file
from cifar_pipelines.common.places import place
from cifar_pipelines.common.words import counted
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.shelf import RecordShelf, read_records
from cifar_pipelines.spark.run_file import read_run_files
from cifar_pipelines.submission.records import LOGS, submissions, submitted_names, unknown_run_name
from cifar_pipelines.submission.secrets import Source

REPORTS = ("report.md", "report.pdf", "report.html", "comparison.csv")
BESIDE_REPORTS = (".png", ".svg", ".csv")
LOG_SUFFIXES = (".log", ".json", ".txt", ".diff", ".out", ".err")
LOG_NAMES = ("stdout", "stderr")
# What stands for the code where there is no git.
CODE_FOLDERS = ("src", "conf", "docs", "tests")
# Never part of the code: data, environments, what Python and tools leave behind, local configuration.
NO_CODE = ("data", ".venv*", "venv", "__pycache__", "*.egg-info", ".git", "shared", "logs")
NO_CODE_SUFFIXES = (".pyc", ".zip", ".tar", ".gz", ".log", ".pt", ".pth", ".parquet", ".npy", ".pkl")


@dataclass
class Contents:
    """What goes into a bundle."""

    run_name: str
    sources: dict[str, Source] = field(default_factory=dict)  # by their name in the bundle
    git_revisions: list[str] = field(default_factory=list)  # the code that ran, oldest first; none without git
    notes: list[str] = field(default_factory=list)  # what the reader has to know about the code

    @property
    def facts(self) -> dict[str, object]:
        """What the manifest says beside the files."""
        revisions = self.git_revisions
        newest = {"git_revision": revisions[-1] if revisions else None}
        return {"run_name": self.run_name, **newest, "git_revisions": revisions, "notes": self.notes}


def collect(project: Path, run_name: str) -> Contents:
    """Collects all that belongs to a run name; raises a `UserError` if nothing ran under it."""
    submitted, runs = submissions(project, run_name), run_folders(project, run_name)
    if not submitted and not runs:
        named = {run["run_name"] for _, run in read_run_files(project / LOGS)} - {None}
        raise unknown_run_name(run_name, submitted_names(project) | named)
    contents = Contents(run_name)
    for folder in (project / LOGS / run_name, *runs):
        contents.sources |= {file.relative_to(project).as_posix(): file for file in _log_files(folder)}
    folder, reporting = project / place("run_records"), project / place("reporting_folder")
    records = _run_records(folder, {run.name for run in runs})
    contents.sources |= {f"run_records/{name}.json": json_file(folder, name) for name in records}
    contents.sources |= {f"reports/{file.relative_to(reporting).as_posix()}": file for file in _reports(reporting)}
    revisions = [(record.started, record.git_revision) for record in submitted]
    revisions += [(record.created, record.git_revision) for record in records.values()]
    for _, revision in sorted((pair for pair in revisions if pair[1]), key=lambda pair: pair[0]):
        if revision in contents.git_revisions:
            contents.git_revisions.remove(revision)
        contents.git_revisions.append(revision)
    for revision in contents.git_revisions or [None]:
        _add_code(contents, project, revision)
    if contents.git_revisions and not any(revision.endswith("+changes") for revision in contents.git_revisions):
        _add_untracked(contents, project)
    if local := _local_files(project):
        contents.notes.append(f"conf/local is never in a bundle; it holds now: {', '.join(local)}.")
    return contents


def run_folders(project: Path, run_name: str) -> list[Path]:
    """The log folders of the runs of a name, submitted or not, oldest first."""
    return sorted((project / LOGS).glob(f"{escape(run_name)}-[0-9]???-??-??T*Z-exec_*"))


def _log_files(folder: Path) -> Iterator[Path]:
    for file in folder.rglob("*"):
        text = file.suffix in LOG_SUFFIXES or file.name in LOG_NAMES or "event_log" in file.relative_to(folder).parts
        if text and file.is_file() and not file.is_symlink() and not file.name.startswith("."):
            yield file


def _run_records(folder: Path, runs: set[str]) -> dict[str, RunRecord]:
    """The run records whose log folder is one of these, by name."""
    records, _ = read_records(RecordShelf(folder).loaders())
    return {name: record for name, record in records.items() if Path(record.parallelism.log_dir or "").name in runs}


def _reports(reporting: Path) -> Iterator[Path]:
    folders = {file.parent for name in REPORTS for file in reporting.rglob(name)}
    for folder in sorted(folders):
        for file in folder.iterdir():
            if file.is_file() and (file.name in REPORTS or file.suffix in BESIDE_REPORTS):
                yield file


def _add_code(contents: Contents, project: Path, revision: str | None) -> None:
    """Adds the code of a revision, as exactly as it is known, and says how exactly that is."""
    commit, _, changed = (revision or "").partition("+")
    folder = f"code/{commit[:12] or 'no_git'}{'+changes' if changed else ''}"
    try:
        if not commit:
            files = _plain_files(project)
            note = "no git revision was recorded: these are the project's files as they are now"
        elif changed:
            files = _files_of_git(project)
            # Outside of the tree of the code, so that it cannot hide a file.
            contents.sources[f"{folder}.diff"] = changes(project, commit)
            note = (
                f"there were changes that no commit holds: these are the files as they are now, new ones under src/ and "
                f"conf/ included, with their diff to {commit[:12]}; the diff of the moment of the submission is "
                "changes.diff beside its log"
            )
        else:
            files, note = _archive(project, commit), f"exactly the commit {commit}"
    except GitError:
        files = _plain_files(project)
        note = f"git does not know {commit[:12]} here: these are the project's files as they are now"
    contents.sources |= {f"{folder}/{name}": source for name, source in files.items()}
    contents.notes.append(f"{folder}: {note}.")


def _add_untracked(contents: Contents, project: Path) -> None:
    """Adds new code beside commits that do not hold it: whether it was there when they ran, git cannot tell."""
    try:
        new = _existing(project, untracked_code(project))
    except GitError:
        return
    if new:
        contents.sources |= {f"code/untracked/{name}": source for name, source in new.items()}
        files = counted(len(new), "file")
        contents.notes.append(
            f"code/untracked: {files} under src/ and conf/ that git does not track yet, as they are now."
        )


def _local_files(project: Path) -> list[str]:
    files = (file for file in (project / "conf" / "local").rglob("*") if file.is_file())
    return sorted(file.name for file in files if file.name != ".gitkeep")


def _archive(project: Path, commit: str) -> dict[str, Source]:
    with tarfile.open(fileobj=io.BytesIO(git(project, "archive", "--format=tar", commit))) as archive:
        members = (member for member in archive.getmembers() if member.isfile() and is_code(member.name))
        return {member.name: archive.extractfile(member).read() for member in members}


def _files_of_git(project: Path) -> dict[str, Source]:
    """The files that git tracks, and the new code that it does not track yet."""
    names = git(project, "ls-files", "-z").decode().split("\0")
    return _existing(project, [*filter(None, names), *untracked_code(project)])


def _plain_files(project: Path) -> dict[str, Source]:
    inside = (file for folder in CODE_FOLDERS for file in (project / folder).rglob("*"))
    names = (file.relative_to(project).as_posix() for file in (*inside, *project.glob("*")))
    return _existing(project, (name for name in names if not name.startswith("conf/local/")))


def _existing(project: Path, names: Iterable[str]) -> dict[str, Source]:
    paths = {name: project / name for name in names if is_code(name)}
    return {name: path for name, path in paths.items() if path.is_file() and not path.is_symlink()}


def is_code(name: str) -> bool:
    """Whether a file of the project is code or configuration, neither data nor left behind by a tool."""
    path = PurePosixPath(name)
    outside = any(PurePosixPath(part).match(pattern) for part in path.parts[:-1] for pattern in NO_CODE)
    return not outside and path.suffix not in NO_CODE_SUFFIXES
