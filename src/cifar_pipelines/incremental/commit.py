"""Commits: what was learned up to a frame of the stream, whole or not at all.

A commit is a folder named by the next sequence number of a frame. It holds the state of every learner (weights, optimiser, scores, images that
wait, last sequence number) and is the one truth about what was learned: whatever was read of the stream without being committed is
read again. What is written is on the disk before the commit gets its name, and the commit before is kept, so that a damaged one costs
the frames since then and nothing else.
"""

import json
import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cifar_pipelines.common import whole_files
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import differing
from cifar_pipelines.incremental.states import DRAFTS, Draft, digest, load_state
from cifar_pipelines.learners import State

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

KEPT = 2  # the newest, and the one before
_DESCRIPTION, _ROWS = "commit.json", "rows"


@dataclass(frozen=True)
class Commit:
    """What was learned before one frame of the stream.

    Attributes:
        next_sequence: Sequence number of that frame.
        states: State of every learner, by name.
        failures: Learners that have failed and have no state, each with the reason.
        producers: The digest of every producer's stream, by name; empty in older commits.
    """

    next_sequence: int
    states: dict[str, State]
    failures: dict[str, str] = field(default_factory=dict)
    producers: dict[str, str] = field(default_factory=dict)


class Commits:
    """The commits of one stream; it need not have any yet.

    Args:
        folder: Where they lie.
        identity: What the states depend on: `models` by name, classes, features, law. Plain data. Models learn each by itself,
            so that some of those that were committed can go on without the others.

    Attributes:
        producers: The digest of every producer's stream, by name, which the commits to come hold.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.folder = folder
        self.producers: dict[str, str] = {}
        self._identity = json.loads(json.dumps(identity))

    def keep(
        self, next_sequence: int, drafts: Mapping[str, Draft], rows: "pd.DataFrame | None" = None,
        failures: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        """Keeps drafts as a commit; a kill in between leaves the one before.

        Args:
            next_sequence: Sequence number of the frame after what was learned.
            drafts: The states by learner; their files become those of the commit.
            rows: Rows that came with it, which `rows` returns together with those of all commits before.
            failures: Learners that have failed, each with the reason.
        """
        if rows is not None and len(rows):
            part = self.folder / _ROWS / f"{next_sequence:020d}.parquet"
            with whole_files.writing(part) as partial:
                rows.to_parquet(partial)
                _to_disk(partial)
            _to_disk(part.parent)
        target = self.folder / f"{next_sequence:020d}"
        if target.exists():  # a damaged one that was learned again
            shutil.rmtree(target)
        with whole_files.writing(target) as partial:
            partial.mkdir()
            for name, one in drafts.items():
                one.file.replace(partial / f"{name}.npz")
            digests = {name: one.digest for name, one in drafts.items()}
            said = {"identity": self._identity, "digests": digests, "failures": dict(failures or {})}
            text = json.dumps(said | {"producers": self.producers, "versions": _versions()}, indent=1)
            (partial / _DESCRIPTION).write_text(text, encoding="utf-8")
            for path in (partial / _DESCRIPTION, partial):
                _to_disk(path)
        _to_disk(self.folder)
        for old in (*self._folders()[KEPT:], self.folder / DRAFTS):
            shutil.rmtree(old, ignore_errors=True)

    def rows(self, next_sequence: int) -> "pd.DataFrame":
        """The rows of all commits up to one; those of later ones, which are not the truth any more, are removed.

        Raises:
            UserError: If some of them cannot be read.
        """
        import pandas as pd
        from pyarrow import ArrowException

        parts = sorted((self.folder / _ROWS).glob("*.parquet"))
        for part in parts:
            if int(part.stem) > next_sequence:
                part.unlink()
        kept = []
        for part in filter(Path.exists, parts):
            try:
                kept.append(pd.read_parquet(part))
            except (OSError, ArrowException) as error:
                raise UserError(
                    f"{part}, which holds what was said of images while they were learned, cannot be read ({type(error).__name__}). Put "
                    "it back, or begin anew: --params streaming.resume=false."
                ) from error
        return pd.concat(kept, ignore_index=True) if kept else pd.DataFrame()

    def forget(self) -> None:
        """Removes all of them: what was learned is kept elsewhere, or is to be learned anew."""
        # The oldest first: a kill on the way leaves the newest, or none.
        for folder in (*reversed(self._folders()), *self._unfinished(), self.folder / _ROWS):
            (folder / _DESCRIPTION).unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)

    def latest(self) -> Commit | None:
        """The newest commit that is whole, or None if there is none yet.

        Raises:
            UserError: If it was made with other learners, options, classes, features, law or versions of libraries, or if all commits
                are damaged.
        """
        for folder in self._unfinished():
            shutil.rmtree(folder, ignore_errors=True)
        folders = self._folders()
        for number, folder in enumerate(folders):
            try:
                commit = self._read(folder)
            except (OSError, ValueError, KeyError, EOFError) as error:
                if isinstance(error, UserError):
                    raise
                logger.warning("The commit %s is damaged (%s); the one before is taken.", folder, error)
                continue
            for damaged in folders[:number]:
                shutil.rmtree(damaged)
            return commit
        if folders:
            raise UserError(
                f"All commits in {self.folder} are damaged, so nobody knows what was learned. Remove the folder to begin anew."
            )
        return None

    def newest_folder(self) -> Path | None:
        """The folder of the newest commit, for `load_state`; None if there is none yet."""
        return next(iter(self._folders()), None)

    def _read(self, folder: Path) -> Commit:
        description = json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8"))
        if different := differing(self._asked_for(description["identity"]), self._identity, "commit"):
            raise UserError(
                f"What was learned in {self.folder} was learned otherwise: {'; '.join(different)}. Give it the same values to go "
                "on, or remove the folder to begin anew."
            )
        self._require_same_versions(description.get("versions", {}))
        failures = description.get("failures", {})
        asked = self._identity.get("models", {*description["digests"], *failures})
        states = {name: load_state(folder, name) for name in description["digests"] if name in asked}
        if changed := [name for name, state in states.items() if digest(state) != description["digests"][name]]:
            raise ValueError(f"{', '.join(changed)} has another checksum")
        failures = {name: reason for name, reason in failures.items() if name in asked}
        return Commit(int(folder.name), states, failures, description.get("producers", {}))

    def _require_same_versions(self, before: Mapping[str, str]) -> None:
        """Refuses a commit of other libraries than are there, whose last digits may be others; an older one may not know them all."""
        there = _versions()
        if changed := [
            f"{name} {before[name]} (now {there[name]})"
            for name in there
            if before.get(name, there[name]) != there[name]
        ]:
            raise UserError(
                f"What was learned in {self.folder} was learned with {', '.join(changed)}, so that the weights would not be the same "
                "bit for bit. Install those versions again to go on, or begin anew: --params streaming.resume=false."
            )

    def _asked_for(self, identity: dict[str, Any]) -> dict[str, Any]:
        """The identity of a commit without the models that are not asked for any more."""
        models, asked = identity.get("models"), self._identity.get("models")
        if models is None or asked is None:
            return identity
        return identity | {"models": {name: models[name] for name in models if name in asked}}

    def _folders(self) -> list[Path]:
        """The folders of the commits, newest first."""
        return sorted((path for path in self._numbered() if (path / _DESCRIPTION).exists()), reverse=True)

    def _unfinished(self) -> list[Path]:
        """What a process that was killed has left of a commit: one without a description was about to be removed."""
        removed = [path for path in self._numbered() if not (path / _DESCRIPTION).exists()]
        return [self.folder / DRAFTS, *self.folder.glob(f"*{whole_files.PARTIAL}"), *removed]

    def _numbered(self) -> list[Path]:
        return [path for path in self.folder.glob("*") if path.name.isdigit()]


@cache
def _versions() -> dict[str, str]:
    """Of what computes features and states; looked up once, for a stream has many commits."""
    return {name: version(name) for name in ("numpy", "scipy", "scikit-learn", "torch")}


def _to_disk(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
