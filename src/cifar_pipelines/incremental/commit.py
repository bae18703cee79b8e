"""Commits: what was learned up to a frame of the stream, whole or not at all.

A commit is a folder named by the next sequence number of a frame. It holds the state of every learner (weights, optimiser, scores, images that
wait, last sequence number) and is the one truth about what was learned: whatever was read of the stream without being committed is
read again. What is written is on the disk before the commit gets its name, and the commit before is kept, so that a damaged one costs
the frames since then and nothing else.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cifar_pipelines.common import whole_files
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import differing
from cifar_pipelines.learners import State

logger = logging.getLogger(__name__)

KEPT = 2  # the newest, and the one before
_DESCRIPTION = "commit.json"


@dataclass(frozen=True)
class Commit:
    """What was learned before one frame of the stream.

    Attributes:
        next_sequence: Sequence number of that frame.
        states: State of every learner, by name.
    """

    next_sequence: int
    states: dict[str, State]


class Commits:
    """The commits of one stream; it need not have any yet.

    Args:
        folder: Where they lie.
        identity: What the states depend on: learners, options, classes, features, law. Plain data.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.folder = folder
        self._identity = json.loads(json.dumps(identity))

    def save(self, commit: Commit) -> None:
        """Keeps a commit; a kill in between leaves the one before."""
        target = self.folder / f"{commit.next_sequence:020d}"
        if target.exists():  # a damaged one that was learned again
            shutil.rmtree(target)
        with whole_files.writing(target) as partial:
            partial.mkdir()
            for name, state in commit.states.items():
                with (partial / f"{name}.npz").open("wb") as file:
                    np.savez(file, **state)
            digests = {name: digest(state) for name, state in commit.states.items()}
            text = json.dumps({"identity": self._identity, "digests": digests}, indent=1)
            (partial / _DESCRIPTION).write_text(text, encoding="utf-8")
            for path in (*partial.iterdir(), partial):
                _to_disk(path)
        _to_disk(self.folder)
        for old in self._folders()[KEPT:]:
            shutil.rmtree(old)

    def latest(self) -> Commit | None:
        """The newest commit that is whole, or None if there is none yet.

        Raises:
            UserError: If it was made with other learners, options, classes, features or law, or if all commits are damaged.
        """
        folders = self._folders()
        for folder in folders:
            try:
                return self._read(folder)
            except (OSError, ValueError, KeyError, EOFError) as error:
                if isinstance(error, UserError):
                    raise
                logger.warning("The commit %s is damaged (%s); the one before is taken.", folder, error)
        if folders:
            raise UserError(
                f"All commits in {self.folder} are damaged, so nobody knows what was learned. Remove the folder to begin anew."
            )
        return None

    def _read(self, folder: Path) -> Commit:
        import zipfile

        description = json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8"))
        if different := differing(description["identity"], self._identity, "commit"):
            raise UserError(
                f"What was learned in {self.folder} was learned otherwise: {'; '.join(different)}. Give it the same values to go "
                "on, or remove the folder to begin anew."
            )
        states = {}
        for name, expected in description["digests"].items():
            try:
                with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
                    states[name] = dict(arrays)
            except zipfile.BadZipFile as error:
                raise ValueError(f"{name}.npz cannot be read: {error}") from error
            if digest(states[name]) != expected:
                raise ValueError(f"{name}.npz has another checksum")
        return Commit(int(folder.name), states)

    def _folders(self) -> list[Path]:
        """The folders of the commits, newest first."""
        return sorted((path for path in self.folder.glob("*") if path.name.isdigit()), reverse=True)


def digest(state: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of names, types, shapes and bytes of arrays, in hexadecimal digits."""
    content = hashlib.sha256()
    for name in sorted(state):
        array = np.ascontiguousarray(state[name])
        content.update(f"{name} {array.dtype.str} {state[name].shape} ".encode())
        content.update(array.data if array.size else b"")
    return content.hexdigest()


def _to_disk(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
