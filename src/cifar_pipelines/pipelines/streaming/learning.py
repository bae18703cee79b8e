"""What is done with a micro-batch: every learner takes its frames, then all of them are committed together."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.lazy_types import SparkSession
from cifar_pipelines.common.own_code import CodeError, told, whole
from cifar_pipelines.common.words import counted
from cifar_pipelines.incremental.commit import Commit, Commits
from cifar_pipelines.incremental.states import Draft, draft, hand_over, handed_over, load_state
from cifar_pipelines.incremental.training import BlockResult, Frames, Law, StreamTraining
from cifar_pipelines.learners import LearningTask, State, create_learner
from cifar_pipelines.pipelines.streaming.query import Taker
from cifar_pipelines.pipelines.streaming.specification import LearnerSpec

logger = logging.getLogger(__name__)

SAY_S = 2.0
LOG = [
    "sequence", "images", "scheduled_at", "sent_at", "landed_at", "committed_at", "live", "waiting", "extract_s", "learn_s", "commit_s",
]  # fmt: skip


TYPES = {"sequence": "int64", "images": "int64", "waiting": "int64", "live": "bool"}


class Taken(NamedTuple):
    """What became of a model that took frames.

    Attributes:
        model: Its name.
        draft: Its state after them; None where it failed.
        rows: Rows of its blocks.
        failure: Why it failed, by itself; nothing where it did not.
        trace: All that is known of that.
    """

    model: str
    draft: Draft | None
    rows: list[dict[str, Any]]
    failure: str = ""
    trace: str = ""


@dataclass(frozen=True)
class Course:
    """All that a learner needs to learn, as plain data that travels to the executors.

    Attributes:
        learners: The learners by model.
        task: What they have to learn.
        law: The law of blocks.
        holdout: Held-out images (m, dimension) and their labels (m,); None for none.
        first_sequence: Sequence number of the first frame.
    """

    learners: dict[str, LearnerSpec]
    task: LearningTask
    law: Law
    holdout: tuple[np.ndarray, np.ndarray] | None
    first_sequence: int

    def begin(self, model: str, state: State | None) -> StreamTraining:
        """The training of a model, from a state or from the beginning."""
        spec = self.learners[model]
        learner = create_learner(spec.learner, self.task, spec.options)
        training = StreamTraining(learner, self.law, self.holdout, self.first_sequence)
        if state is not None:
            training.load(state)
        return training

    def take(
        self, model: str, training_of: Callable[[str], StreamTraining], frames: Frames | None, commits: Path
    ) -> Taken:
        """Lets a model take frames, and drafts its state where commits lie; None ends the stream.

        Raises:
            UserError: If something is wrong with the frames, for whatever learner.
        """
        # What other learners take of the cores meanwhile is not this one's: its thread is the only one that computes.
        started = time.thread_time()
        try:
            training = training_of(model)
            results = training.finish() if frames is None else training.take(frames)
            state = training.state()
        except Exception as error:  # of this learner alone, whatever it is
            if isinstance(error, UserError) and not isinstance(error, CodeError):
                raise
            failure = str(error) if isinstance(error, CodeError) else told(error)
            return Taken(model, None, [], failure, whole(error))
        seconds = time.thread_time() - started
        images = sum(len(result.label) for result in results)
        # At the end of a stream there may be a test alone.
        rows = [_row(model, result, seconds * len(result.label) / images if images else seconds) for result in results]
        return Taken(model, draft(commits, model, state), rows)


class DriverEngine:
    """Lets one learner after the other take frames, in the driver."""

    def __init__(self, course: Course, commits: Commits, commit: Commit | None) -> None:
        self._states = dict(commit.states) if commit else {}
        self._course, self._folder = course, commits.folder
        self._trainings: dict[str, StreamTraining] = {}

    def take(self, frames: Frames | None, models: Sequence[str]) -> list[Taken]:
        """Lets models take frames; None ends the stream."""
        return [self._course.take(model, self._training, frames, self._folder) for model in models]

    def _training(self, model: str) -> StreamTraining:
        if model not in self._trainings:
            self._trainings[model] = self._course.begin(model, self._states.pop(model, None))
        return self._trainings[model]


class ExecutorsEngine:
    """Lets every learner take frames in a task of its own; states are read where they were committed, and drafted there.

    Executors compute and the driver commits, so that a task that runs twice changes nothing.
    """

    def __init__(self, session: SparkSession, course: Course, commits: Commits) -> None:
        self._context = session.sparkContext
        self._course, self._commits = self._context.broadcast(course), commits

    def take(self, frames: Frames | None, models: Sequence[str]) -> list[Taken]:
        """Lets models take frames; None ends the stream."""
        course, newest, commits = self._course, self._commits.newest_folder(), self._commits.folder
        # Where states are handed over too: a broadcast would copy the frames through three processes.
        handed = None if frames is None else hand_over(commits, vars(frames).values())
        # PARALLEL(executors): one task per learner, so that several learn at the same time.
        tasks = self._context.parallelize(models, len(models))
        return tasks.map(lambda model: _take_in_task(course.value, model, newest, handed, commits)).collect()


def _take_in_task(course: Course, model: str, newest: Path | None, handed: Path | None, commits: Path) -> Taken:
    frames = None if handed is None else Frames(*handed_over(handed))
    # What the disk does not give is no failure of the learner, which the others would leave behind for good.
    state = load_state(newest, model) if newest else None
    return course.take(model, lambda model: course.begin(model, state), frames, commits)


class MicroBatches(Taker):
    """What Spark calls with every micro-batch.

    Args:
        engine: Lets the learners take frames.
        commits: Where what was learned is committed.
        extract: Gives the features of the frames of a micro-batch, and their times; see `FrameFeatures`.
        on_commit: Told the sequence number of the last frame that was committed; says how many frames wait.
        next_sequence: Sequence number of the first frame to come.
        models: The models that learn.
        failures: Models that have failed before, each with the reason.

    Attributes:
        failures: Models that have failed, each with the reason; the others go on without them.
        traces: All that is known of the failures of this run.
        extract_s: Seconds that features took, `learn_s` that learning took, and `commit_s` that commits took.
        alone_s: Seconds of CPU that every learner took, added up.
        images: Images that came.
    """

    def __init__(
        self, engine: DriverEngine | ExecutorsEngine, commits: Commits,
        extract: Callable[[Any], tuple[Frames, pd.DataFrame]], on_commit: Callable[[int], int], next_sequence: int,
        models: Sequence[str], failures: Mapping[str, str],
    ) -> None:  # fmt: skip
        super().__init__(next_sequence)
        self._models, self.failures = [model for model in models if model not in failures], dict(failures)
        self.traces: list[str] = []
        self._engine, self._commits, self._extract, self._on_commit = engine, commits, extract, on_commit
        self.extract_s = self.learn_s = self.commit_s = self.alone_s = 0.0
        self.images, self._began = 0, time.time()
        self._log: list[tuple[float, ...]] = []  # a stream has many
        self._say = Progress()

    def log(self) -> pd.DataFrame:
        """A row for every frame that was committed.

        Returns:
            `sequence`, `images`, its times in seconds since 1970 (`scheduled_at`, `sent_at`, `landed_at`, `committed_at`), whether it came
            `live`, frames that were `waiting` then, and seconds of its micro-batch (`extract_s`, `learn_s`, `commit_s`). A frame that had
            landed before this run is not live: how late it was learned says when the run was started, and nothing of it.
        """
        return pd.DataFrame(self._log, columns=LOG).astype(TYPES)

    def finish(self) -> tuple[dict[str, State], pd.DataFrame]:
        """Ends the stream: states at its end, which are not committed because a stream may go on, and the last rows."""
        taken = self._learned(None)
        return {one.model: one.draft.state() for one in taken}, _table(taken)

    def _learned(self, frames: Frames | None) -> list[Taken]:
        """Lets the models take frames, and goes on without those that fail."""
        taken = self._engine.take(frames, self._models) if self._models else []
        for one in taken:
            if one.failure:
                self.failures[one.model] = f"at frame {self.next_sequence} or just after it, {one.failure}"
                self.traces.append(one.trace)
                logger.error("%s failed (%s) and is left out.", one.model, self.failures[one.model])
        self._models = [model for model in self._models if model not in self.failures]
        if not self._models:
            raise failed(self.failures, [], self.traces)
        return [one for one in taken if not one.failure]

    def _take(self, frames: Any) -> None:
        began = time.perf_counter()
        features, times = self._extract(frames)
        extracted = time.perf_counter()
        taken = self._learned(features)
        learned = time.perf_counter()
        reached = max(self.next_sequence, int(features.sequence.max(initial=-1)) + 1)
        self._commits.keep(reached, {one.model: one.draft for one in taken}, _table(taken), self.failures)
        waiting = self._on_commit(reached - 1)
        new = times[times["sequence"] >= self.next_sequence]
        self.next_sequence = reached
        spent = {
            "extract_s": extracted - began,
            "learn_s": learned - extracted,
            "commit_s": time.perf_counter() - learned,
        }
        for name, seconds in spent.items():
            setattr(self, name, getattr(self, name) + seconds)
        self.alone_s += sum(row["seconds"] for one in taken for row in one.rows)
        self.images += len(features.label)
        live = new["landed_at"] >= self._began
        new = new.assign(committed_at=time.time(), live=live, waiting=waiting, **spent)[LOG]
        self._log.extend(new.itertuples(index=False, name=None))
        self._say(new, taken)


class Progress:
    """Says where the learners are, every few seconds: images/s, backlog, latency, and how well each does."""

    def __init__(self) -> None:
        self._since, self._images = time.monotonic(), 0

    def __call__(self, frames: pd.DataFrame, taken: list[Taken]) -> None:
        """Counts the frames of a micro-batch, rows as `MicroBatches.log` has them; says a line if one is due."""
        self._images += int(frames["images"].sum())
        now = time.monotonic()
        scores = {one.model: one.rows[-1] for one in taken if one.rows}
        if now - self._since < SAY_S or frames.empty or not scores:
            return
        last = frames.iloc[-1]
        said = "; ".join(f"{model} {_in_words(row)}" for model, row in scores.items())
        logger.info(
            "Frame %d, %.0f images/s, %s, %s. Of the last images: %s.",
            last["sequence"], self._images / (now - self._since), f"{counted(int(last['waiting']), 'frame waits', 'frames wait')}",
            f"learned {last['committed_at'] - last['scheduled_at']:.1f} s after it was due" if last["live"] else "landed before this run", said,
        )  # fmt: skip
        self._since, self._images = now, 0


def _in_words(row: Mapping[str, float]) -> str:
    """The scores of the last images."""
    macro = "/".join(f"{100 * row[f'window_{name}_macro']:.1f}" for name in ("precision", "recall", "f1"))
    return f"{row['window_accuracy']:.1%}, loss {row['window_log_loss']:.2f}, macro P/R/F1 {macro}%"


def _row(model: str, result: BlockResult, seconds: float) -> dict[str, Any]:
    """A block as a row of a table."""
    confusion = result.holdout_confusion
    return {
        "model": model, "first": result.first, "images": len(result.label), "seconds": seconds,
        "label": result.label.tolist(), "epoch": result.epoch.tolist(), "prediction": result.probability.argmax(axis=1).tolist(),
        "holdout_confusion": None if confusion is None else confusion.ravel().tolist(),
        **result.scores,
    }  # fmt: skip


def _table(taken: list[Taken]) -> pd.DataFrame:
    return pd.DataFrame([row for one in taken for row in one.rows])


def failed(failures: Mapping[str, str], others: Sequence[str], traces: Sequence[str] = ()) -> CodeError:
    """The error that names models that failed by themselves, and what to do with the others, which have learned the stream."""
    said = "; ".join(f"{model} failed ({reason})" for model, reason in failures.items())
    todo = "Correct its options or code, and learn anew with --params streaming.resume=false."
    if others:
        todo = (
            "The others have learned the whole stream; this judges them, and learns nothing again: --params "
            f"streaming.selected={'+'.join(others)}"
        )
    error = CodeError(f"{said}. {todo}")
    for trace in traces:
        error.add_note(trace)
    return error
