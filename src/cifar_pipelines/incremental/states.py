"""The states of learners as files: drafted on any host, read again, and told apart by their bits."""

import hashlib
import os
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cifar_pipelines.learners import State

DRAFTS = "_drafts"  # the folder below that of the commits whose files the next commit takes or removes


@dataclass(frozen=True)
class Draft:
    """The state of one learner, on the disk and not committed yet.

    Attributes:
        file: Its file; nothing else writes there.
        digest: Of the state, see `digest`.
    """

    file: Path
    digest: str

    def state(self) -> State:
        """The state, read again."""
        return _arrays(self.file)


def draft(folder: Path, name: str, state: State) -> Draft:
    """Writes the state of a learner for a commit to come; whoever learned it does so, on any host, and only the driver commits.

    Args:
        folder: Where the commits lie.
        name: Name of the learner.
        state: Its state.
    """
    file = _new_draft(folder, f"{name}.{uuid.uuid4().hex}.npz")
    with file.open("wb") as opened:
        np.savez(opened, **state)
        opened.flush()
        os.fsync(opened.fileno())
    return Draft(file, digest(state))


def hand_over(folder: Path, arrays: Iterable[np.ndarray]) -> Path:
    """Writes arrays for the learners, on any host, until the next commit; `handed_over` reads them."""
    file = _new_draft(folder, f"{uuid.uuid4().hex}.npy")
    with file.open("wb") as opened:
        for array in arrays:
            np.save(opened, array, allow_pickle=False)
    return file


def handed_over(file: Path) -> list[np.ndarray]:
    """The arrays that `hand_over` has written, in the same order."""
    arrays, end = [], file.stat().st_size
    with file.open("rb") as opened:
        while opened.tell() < end:
            arrays.append(np.load(opened, allow_pickle=False))
    return arrays


def load_state(folder: Path, name: str) -> State:
    """The state of one learner in the folder of a commit."""
    return _arrays(folder / f"{name}.npz")


def digest(state: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of names, types, shapes and bytes of arrays, in hexadecimal digits."""
    content = hashlib.sha256()
    for name in sorted(state):
        array = np.ascontiguousarray(state[name])
        content.update(f"{name} {array.dtype.str} {state[name].shape} ".encode())
        content.update(array.data if array.size else b"")
    return content.hexdigest()


def _new_draft(folder: Path, name: str) -> Path:
    """The place of a file that is gone with the next commit."""
    file = folder / DRAFTS / name
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def _arrays(file: Path) -> State:
    import zipfile

    try:
        with np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{file.name} cannot be read: {error}") from error
