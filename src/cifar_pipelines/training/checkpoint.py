"""Checkpoints: one folder per run that is training, written every epoch, gone when the run has written its record."""

import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cifar_pipelines.common import whole_files
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import differing

if TYPE_CHECKING:
    from filelock import FileLock

logger = logging.getLogger(__name__)

_STATE = "state.pt"
_HISTORY = "history.json"
_CONFIGURATION = "configuration.json"
_FAILURE = "failure.json"
_PROGRESS = "progress.json"
_RUN = "run.json"
_SETTLED = "settled.json"


class Checkpoint:
    """A folder on storage that the driver and all workers see; rank 0 writes it. It need not exist yet."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def save(self, state: Mapping[str, Any], history: list[dict[str, float]]) -> None:
        """Keeps the state after an epoch; a kill in between leaves the one before."""
        import torch

        with whole_files.writing(self.folder / _STATE) as partial:
            torch.save({"state": state, "history": history}, partial)
        self._write(_HISTORY, history)

    def load(self) -> tuple[dict[str, Any], list[dict[str, float]]] | None:
        """The last state with its history, or None before the end of the first epoch."""
        import torch

        if not self.holds_state:
            return None
        loaded = torch.load(self.folder / _STATE, map_location="cpu", weights_only=True)
        return loaded["state"], loaded["history"]

    @property
    def holds_state(self) -> bool:
        """Whether an epoch has ended."""
        return (self.folder / _STATE).exists()

    def history(self) -> list[dict[str, float]]:
        """The rows of all epochs so far; cheap, for looking on while training runs."""
        return self._read(_HISTORY) or []

    def report(self, rank: int, facts: Mapping[str, Any]) -> None:
        """Leaves what a worker says of itself."""
        self._write(f"worker{rank}.json", facts)

    def reports(self) -> list[dict[str, Any]]:
        """What the workers of the last attempt said of themselves, by rank."""
        files = self.folder.glob("worker*.json")
        return sorted((json.loads(file.read_text(encoding="utf-8")) for file in files), key=lambda facts: facts["rank"])

    def say(self, progress: Mapping[str, Any]) -> None:
        """Leaves how far an epoch has come that is not over."""
        self._write(_PROGRESS, progress)

    def progress(self) -> dict[str, Any] | None:
        """What was left by `say`; it may be of an epoch that has ended."""
        return self._read(_PROGRESS)

    def fail(self, message: str) -> None:
        """Leaves the reason why training cannot go on; no worker starts again over it."""
        self._write(_FAILURE, message)

    def failure(self) -> str | None:
        """The reason left by `fail`."""
        return self._read(_FAILURE)

    def first_start(self, who: str) -> bool:
        """Whether this is the first call with that name."""
        try:
            (self.folder / f"started-{who}").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def begin(self, configuration: Mapping[str, Any]) -> None:
        """Makes the folder, or forgets what an earlier attempt of the same run said of itself."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for pattern in ("worker*.json", "started-*", _FAILURE, _PROGRESS):
            for file in self.folder.glob(pattern):
                file.unlink()
        self._write(_CONFIGURATION, configuration)

    def belong_to(self, run_id: str) -> None:
        """Notes which run trains on it."""
        self._write(_RUN, run_id)

    def owner(self) -> str | None:
        """The run that was the last to train on it."""
        return self._read(_RUN)

    def require_same(self, configuration: Mapping[str, Any], family: str = "bigdl_cnn") -> None:
        """Raises a `UserError` with every key that differs if the checkpoint was made with another configuration.

        Args:
            configuration: What the training depends on.
            family: The family, whose parameter `resume` the message names.
        """
        now = json.loads(json.dumps(configuration))
        if different := differing(self._read(_CONFIGURATION) or {}, now, "checkpoint"):
            raise UserError(
                f"An unfinished training in {self.folder} has another configuration: {'; '.join(different)}. Give it "
                f"the same values to go on with it, or begin anew with --params {family}.resume=false."
            )

    def settle(self, family: str, **settled: str) -> None:
        """Notes what `auto` came to on these hosts, such as `precision`; an unfinished training goes on with nothing else.

        Raises:
            UserError: If it had come to something else before.
        """
        known = self._read(_SETTLED)
        if known and self.holds_state and (different := differing(known, settled, "checkpoint")):
            raise UserError(
                f"An unfinished training in {self.folder} was begun where auto came to something else: {'; '.join(different)}. Name its "
                f"values in the model's block, go on where they are had, or begin anew with --params {family}.resume=false."
            )
        self._write(_SETTLED, settled)

    def _write(self, name: str, content: Any) -> None:
        whole_files.write_json(self.folder / name, content)

    def _read(self, name: str) -> Any:
        file = self.folder / name
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def find_unfinished(root: Path, free: bool = False) -> list[Checkpoint]:
    """The checkpoints below a folder that hold at least one epoch, newest first; with `free` those alone at which no run is."""
    found = [checkpoint for checkpoint in map(Checkpoint, _folders(root)) if checkpoint.holds_state]
    return [checkpoint for checkpoint in found if not (free and _is_held(checkpoint.folder))]


def _is_held(folder: Path) -> bool:
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / "lock", blocking=False):
            return False
    except Timeout:
        return True


@contextmanager
def claimed(
    root: Path, run_id: str, configuration: Mapping[str, Any], resume: bool, family: str = "bigdl_cnn"
) -> Iterator[Checkpoint]:
    """The checkpoint that this run trains on, locked against every other run within the block; `forget` removes it.

    Args:
        root: Folder of the checkpoints of one model and setting.
        run_id: Names the folder of a new checkpoint; sorts by time.
        configuration: What the training depends on.
        resume: Whether to go on with an unfinished training that no run holds.
        family: The family of the model.

    Raises:
        UserError: If that training has another configuration.
    """
    checkpoint, lock = _claim(root, run_id, configuration, resume, family)
    with lock:
        checkpoint.belong_to(run_id)
        yield checkpoint


def forget(root: Path, run_id: str) -> None:
    """Removes the checkpoint that a run was the last to train on, unless another run is at it."""
    from filelock import FileLock, Timeout

    for folder in _folders(root):
        if Checkpoint(folder).owner() != run_id:
            continue
        try:
            with FileLock(folder / "lock", blocking=False):
                shutil.rmtree(folder)
        except Timeout:
            continue


def _claim(
    root: Path, run_id: str, configuration: Mapping[str, Any], resume: bool, family: str
) -> tuple[Checkpoint, "FileLock"]:
    """Finds or makes the checkpoint and takes its lock; one run at a time does so."""
    from filelock import FileLock, Timeout

    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / ".lock"):
        for folder in _folders(root):
            lock = FileLock(folder / "lock")
            try:
                lock.acquire(blocking=False)
            except Timeout:
                logger.warning("Another run trains in %s, so that this one begins a training of its own.", folder)
                continue
            checkpoint = Checkpoint(folder)
            if resume and checkpoint.holds_state:
                try:
                    checkpoint.require_same(configuration, family)
                except UserError:
                    lock.release()
                    raise
                checkpoint.begin(configuration)
                return checkpoint, lock
            shutil.rmtree(folder)
            lock.release()
        checkpoint = Checkpoint(root / run_id)
        checkpoint.begin(configuration)
        lock = FileLock(checkpoint.folder / "lock")
        lock.acquire()
        return checkpoint, lock


def _folders(root: Path) -> list[Path]:
    """The folders of the checkpoints, newest first."""
    return sorted((path for path in root.glob("*") if path.is_dir()), reverse=True)
