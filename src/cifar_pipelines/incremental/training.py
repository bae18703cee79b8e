"""The law of blocks: what a learner learns from a stream, however the stream is cut into micro-batches.

Frames have consecutive sequence numbers, and images a place in their frame. A learner takes images in that order by blocks of fixed
size, counted in images and not in micro-batches: it predicts a whole block, is judged, then learns. Images of a block that is not
full are part of the state. So any grouping of frames into micro-batches, any frame that comes again, and any process that ends and
goes on from a committed state give the same learner and the same scores, bit for bit.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import whole
from cifar_pipelines.incremental.one_thread import one_thread
from cifar_pipelines.judging.prequential import PrequentialScores, counts, scores_of_counts
from cifar_pipelines.learners import Learner, State

MOST = 10_000_000  # images or blocks that are kept in memory
UNKNOWN = -1  # label of an image that has none


@dataclass(frozen=True)
class Law:
    """What a learner learns, beside its own options.

    Attributes:
        block: Images that are predicted together and learned together.
        label_delay: Blocks that come between the prediction of a block and its labels.
        window: Last images that are judged beside all of them.
        holdout_every: Blocks between two tests on held-out images, of which one is at the end of the stream; 0 for none.
    """

    block: int = 128
    label_delay: int = 0
    window: int = 1000
    holdout_every: int = 10

    def __post_init__(self) -> None:
        """Refuses what is no law."""
        for name, least in (("block", 1), ("label_delay", 0), ("window", 1), ("holdout_every", 0)):
            whole(f"The option {name!r} of the stream", getattr(self, name), least, MOST)


@dataclass(frozen=True)
class Frames:
    """The images of whole frames, in any order.

    Attributes:
        sequence: (n,) int64: the sequence numbers of their frames.
        position: (n,) int64: their places in their frames, from 0.
        epoch: (n,) int64: 0 for an image that comes for the first time; only then is its prediction judged.
        x: (n, dimension) float32: their features, or pixels.
        label: (n,) int64: their labels; -1 for one that is predicted and not learned.
    """

    sequence: np.ndarray
    position: np.ndarray
    epoch: np.ndarray
    x: np.ndarray
    label: np.ndarray


@dataclass(frozen=True)
class BlockResult:
    """A block that was predicted.

    Attributes:
        first: Number of its first image, counted from 0 over the whole stream.
        label: (n,) int64, -1 for an unknown one.
        epoch: (n,) int64, see `Frames`.
        probability: (n, classes) float64.
        scores: Scores of all images so far, of the last ones (`window_*`) and of held-out images (`holdout_*`).
        holdout_confusion: (classes, classes) int64: counts of the test on held-out images after the block; None where there was none.
    """

    first: int
    label: np.ndarray
    epoch: np.ndarray
    probability: np.ndarray
    scores: dict[str, float]
    holdout_confusion: np.ndarray | None = None


class StreamTraining:
    """A learner that learns from a stream by the law of blocks.

    Args:
        learner: The learner; it has learned nothing yet, or `load` follows.
        law: The law.
        holdout: Held-out images: (m, dimension) and labels (m,).
        next_sequence: Sequence number of the first frame.
    """

    def __init__(
        self, learner: Learner, law: Law, holdout: tuple[np.ndarray, np.ndarray] | None = None, next_sequence: int = 0
    ) -> None:
        self.learner, self.law, self._holdout = learner, law, holdout
        self.scores = PrequentialScores(len(learner.task.classes), law.window)
        self.next_sequence = next_sequence
        # Images that are not learned yet, in order; the first `_predicted` of them wait for their labels alone.
        self._x = np.zeros((0, learner.task.dimension), np.float32)
        self._label, self._epoch = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._images = self._predicted = self._blocks = 0

    def take(self, frames: Frames) -> list[BlockResult]:
        """Takes frames, and predicts and learns the blocks that their images fill.

        Frames that were taken before are left out: they came again.

        Raises:
            UserError: If a frame or an image of one is missing, or an image breaks a rule of the learner; then none is taken.
        """
        frames = self._new_ones(frames)
        self.learner.check(frames.x, frames.label[frames.label != UNKNOWN])
        self._x = np.concatenate([self._x, frames.x])
        self._label = np.concatenate([self._label, frames.label])
        self._epoch = np.concatenate([self._epoch, frames.epoch])
        self._images += len(frames.label)
        self.next_sequence = max(self.next_sequence, int(frames.sequence.max(initial=-1)) + 1)
        results = []
        with one_thread():
            while len(self._label) - self._predicted >= self.law.block:
                result = self._block(self.law.block)
                self._learn_all_but(self.law.label_delay * self.law.block)
                due = self.law.holdout_every and self._blocks % self.law.holdout_every == 0
                results.append(self._tested(result) if due else result)
        return results

    def finish(self) -> list[BlockResult]:
        """Predicts and learns what is left at the end of the stream: a block that is not full, and late labels.

        Held-out images are tested once more after that, unless they just were; where no image is left to predict, a block
        without images says the result.
        """
        every, left = self.law.holdout_every, len(self._label) - self._predicted
        new = len(self._label) > 0 or (every and self._blocks % every > 0)  # since the last test
        due = bool(every and new and self._holdout is not None)
        with one_thread():
            result = self._block(left) if left or due else None
            self._learn_all_but(0)
            if result is None:
                return []
            return [self._tested(result) if due else result]

    def state(self) -> State:
        """All that the training goes on from: arrays by name."""
        counters = np.array([self.next_sequence, self._images, self._predicted, self._blocks], np.int64)
        return (
            {"counters": counters, "waiting.x": self._x, "waiting.label": self._label, "waiting.epoch": self._epoch}
            | {f"learner.{name}": array for name, array in self.learner.state().items()}
            | {f"scores.{name}": array for name, array in self.scores.state().items()}
        )

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Goes on from a state.

        Raises:
            UserError: If it is that of another learner, task, option or law.
        """
        self.learner.load(_below("learner.", state))
        self.scores.load(_below("scores.", state))
        self._x, self._label, self._epoch = (state[f"waiting.{name}"] for name in ("x", "label", "epoch"))
        self.next_sequence, self._images, self._predicted, self._blocks = (int(count) for count in state["counters"])

    def _new_ones(self, frames: Frames) -> Frames:
        """The images of frames that were not taken before, in order, once each."""
        keys, places = np.unique(np.stack([frames.sequence, frames.position]), axis=1, return_index=True)
        new = keys[0] >= self.next_sequence
        (sequence, position), places = keys[:, new], places[new]
        self._require_whole(sequence, position)
        epoch, x, label = (np.asarray(column)[places] for column in (frames.epoch, frames.x, frames.label))
        return Frames(sequence, position, epoch, x.astype(np.float32), label)

    def _require_whole(self, sequence: np.ndarray, position: np.ndarray) -> None:
        """Refuses sorted frames with a gap between them or inside of one."""
        frame, first, count = np.unique(sequence, return_index=True, return_counts=True)
        missing = np.setdiff1d(self.next_sequence + np.arange(len(frame)), frame)
        if missing.size:
            raise UserError(
                f"Frame {missing[0]} of the stream is missing: after {missing[0] - 1} comes {frame[frame > missing[0]][0]}. Every "
                "frame is learned once and in order: put its file back where frames land, or begin anew with another folder."
            )
        torn = position != np.arange(len(position)) - np.repeat(first, count)
        if torn.any():
            raise UserError(
                f"Frame {sequence[torn][0]} of the stream lacks an image: at place {np.flatnonzero(torn)[0] - first[frame == sequence[torn][0]][0]} "
                "there is none. Put the frame's file back as it landed, or begin anew with another folder."
            )

    def _block(self, images: int) -> BlockResult:
        """Predicts the next images and counts their scores."""
        now = slice(self._predicted, self._predicted + images)
        label, epoch, probability = self._label[now], self._epoch[now], self.learner.predict(self._x[now])
        judged = (label != UNKNOWN) & (epoch == 0)
        self.scores.add(label[judged], probability[judged])
        first = self._images - len(self._label) + self._predicted
        self._predicted += images
        self._blocks += 1
        row = self.scores.of_all() | {f"window_{name}": value for name, value in self.scores.of_window().items()}
        return BlockResult(first, label, epoch, probability, row)

    def _tested(self, result: BlockResult) -> BlockResult:
        """The result of a block with the scores of the held-out images after it."""
        if self._holdout is None:
            return result
        x, label = self._holdout
        confusion, loss = counts(label, self.learner.predict(x))
        row = {f"holdout_{name}": value for name, value in scores_of_counts(confusion, loss).items()}
        return replace(result, scores=result.scores | row, holdout_confusion=confusion)

    def _learn_all_but(self, late: int) -> None:
        """Learns the oldest images whose labels have come, by blocks; the newest `late` images have to wait."""
        while self._predicted > late:
            count = min(self.law.block, self._predicted - late)
            label = self._label[:count]
            known = label != UNKNOWN
            self.learner.learn(self._x[:count][known], label[known])
            self._x, self._label, self._epoch = self._x[count:], self._label[count:], self._epoch[count:]
            self._predicted -= count


def _below(prefix: str, state: Mapping[str, np.ndarray]) -> State:
    return {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}
