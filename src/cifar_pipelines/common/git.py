"""The git command, and what no commit holds of the code."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

# Where a new file is code, whether git knows of it or not; what lies in conf/local belongs to this host.
CODE = ("src", "conf", ":(exclude)conf/local")


class GitError(Exception):
    """There is no git, or it refused: the folder is no repository, or a commit is unknown."""


def git(folder: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> bytes:
    """Runs a git command in a folder, with more environment variables, and returns what it printed.

    Raises:
        GitError: If it fails.
    """
    environment = {**os.environ, **(variables or {})}
    try:
        return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, env=environment).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise GitError(f"git {arguments[0]} failed in {folder}: {error}") from error


def untracked_code(project: Path) -> list[str]:
    """The new files of code and configuration that git neither tracks nor ignores, as paths below the project."""
    names = git(project, "ls-files", "-z", "--others", "--exclude-standard", "--", *CODE)
    return sorted(filter(None, names.decode(errors="surrogateescape").split("\0")))


def changes(project: Path, commit: str) -> bytes:
    """The diff of the project's files as they are to a commit, the new files of its code included."""
    new = untracked_code(project)
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "index"  # a copy: that of the user stays as it is
        shutil.copy(project / os.fsdecode(git(project, "rev-parse", "--git-path", "index").strip()), index)
        variables = {"GIT_INDEX_FILE": str(index)}
        if new:
            git(project, "add", "--intent-to-add", "--", *new, variables=variables)
        return git(project, "diff", "--binary", "--relative", commit, "--", ".", variables=variables)
