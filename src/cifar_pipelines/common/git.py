"""The git command."""

import subprocess
from pathlib import Path


class GitError(Exception):
    """There is no git, or it refused: the folder is no repository, or a commit is unknown."""


def git(folder: Path, *arguments: str) -> bytes:
    """Runs a git command in a folder and returns what it printed; raises `GitError` if it fails."""
    try:
        return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise GitError(f"git {arguments[0]} failed in {folder}: {error}") from error
