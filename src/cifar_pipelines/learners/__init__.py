"""Learners that learn block by block from a stream: one file, one learner, both of the same name.

A learner sees every block of images once, in order. What it is then depends on the blocks alone: all that it draws comes from
the seed and the number of the block, and all that it remembers is in `state`, so that a process that loads the state goes on
as if the other one had never ended, bit for bit.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import checked_options
from cifar_pipelines.common.own_code import CodeError, told
from cifar_pipelines.common.registry import FileRegistry
from cifar_pipelines.common.words import counted, some

State = dict[str, np.ndarray]


@dataclass(frozen=True)
class LearningTask:
    """What a learner has to learn.

    Attributes:
        classes: Names of all classes, by label, those included that no block has shown yet.
        dimension: Numbers per image.
        seed: Seed of whatever the learner draws.
    """

    classes: tuple[str, ...]
    dimension: int
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuses what no learner can learn."""
        if len(self.classes) < 2 or len(set(self.classes)) < len(self.classes):
            raise UserError(
                f"The class list is {', '.join(map(repr, self.classes)) or 'empty'}, but must name at least 2 classes, each once."
            )
        if self.dimension < 1:
            raise UserError(f"An image has {self.dimension} numbers, but a learner needs at least 1.")


class Learner(ABC):
    """Learns block by block, and predicts with what it has learned so far.

    Its class takes a task and, keyword-only and with defaults, its options. It keeps what it has learned in numpy arrays whose
    names `arrays` lists and whose shapes and types never change.

    Attributes:
        exact: Whether one pass in any order gives what a fit of all images at once gives.
        at_once: The classifier of `classifiers` that fits the same kind of model to all images at once; None for none.
        task: What it has to learn.
        blocks: () int64: the blocks that it has learned from.
    """

    arrays: ClassVar[tuple[str, ...]]
    exact: ClassVar[bool] = False
    at_once: ClassVar[str | None] = None

    def __init__(self, task: LearningTask) -> None:
        self.task = task
        self.blocks = np.zeros((), np.int64)

    def learn(self, x: np.ndarray, y: np.ndarray) -> None:
        """Learns from the next block; one without images changes nothing.

        Args:
            x: (n, dimension) finite numbers.
            y: (n,) whole numbers: the labels.

        Raises:
            UserError: If the dimension is another one, a number is not finite, or a label is not in the class list.
        """
        if len(x) != len(y):
            raise UserError(
                f"The block holds {counted(len(x), 'image')} and {counted(len(y), 'label')}. Give every image its label."
            )
        x, y = self.check(x, y)
        if len(x):
            self._learn(x, y)
            self.blocks += 1

    def check(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns images and labels as the learner takes them; raises as `learn` does."""
        return self._numbers(x), self._labels(y)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Predicts images.

        Args:
            x: (n, dimension) finite numbers.

        Returns:
            (n, classes) float64: probabilities, all alike before the first block.

        Raises:
            UserError: If the dimension is another one, or a number is not finite.
            FloatingPointError: If what was learned gives no finite numbers.
            ValueError: If it gives another number of them.
        """
        x = self._numbers(x)
        if not self.blocks or not len(x):
            return np.full((len(x), len(self.task.classes)), 1 / len(self.task.classes))
        probability = self._predict(x)
        if np.shape(probability) != (wanted := (len(x), len(self.task.classes))):
            raise ValueError(
                f"its probabilities have the shape {np.shape(probability)}, but must have {wanted}: images, classes"
            )
        if not np.isfinite(probability).all():
            raise FloatingPointError(f"its probabilities are not finite after {counted(int(self.blocks), 'block')}")
        return probability

    def state(self) -> State:
        """All that was learned, as a copy: arrays by name."""
        return {name: np.array(getattr(self, name)) for name in ("blocks", *self.arrays)}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Goes on from a state that a learner of the same name, task and options gave.

        Raises:
            UserError: If the state is that of another learner, task or options.
        """
        mine = {name: getattr(self, name) for name in ("blocks", *self.arrays)}
        if set(state) != set(mine):
            raise UserError(
                f"The state holds {', '.join(sorted(state)) or 'nothing'}, but {self.name} keeps {', '.join(sorted(mine))}: it "
                "is that of another learner. Load it with the learner that made it, or begin anew."
            )
        for name, array in mine.items():
            if (state[name].shape, state[name].dtype) != (array.shape, array.dtype):
                raise UserError(
                    f"{name} is {state[name].dtype} of shape {state[name].shape} in the state, but {array.dtype} of shape "
                    f"{array.shape} in this {self.name}: the state was made with other features, classes or options. Use those, or begin anew."
                )
        for name, array in mine.items():
            array[...] = state[name]

    @property
    def name(self) -> str:
        """The name of its file."""
        return type(self).__module__.rpartition(".")[2]

    @property
    def rng(self) -> np.random.Generator:
        """What this block draws from: the same for the same seed and number of the block."""
        return np.random.default_rng([self.task.seed, int(self.blocks)])

    @abstractmethod
    def _learn(self, x: np.ndarray, y: np.ndarray) -> None:
        """Learns from (n, dimension) float64 and (n,) int64, n > 0."""

    @abstractmethod
    def _predict(self, x: np.ndarray) -> np.ndarray:
        """Gives (n, classes) float64 for (n, dimension) float64, n > 0, after the first block."""

    def _numbers(self, x: np.ndarray) -> np.ndarray:
        x = np.ascontiguousarray(x, dtype=np.float64)
        if x.ndim != 2 or x.shape[1] != self.task.dimension:
            raise UserError(
                f"The block has the shape {x.shape}, but {self.name} learns from images of {self.task.dimension} numbers each. "
                "Give it the features that it began with, or begin anew."
            )
        if not np.isfinite(x).all():
            row, column = np.argwhere(~np.isfinite(x))[0]
            raise UserError(
                f"Number {column} of image {row} of the block is {x[row, column]}, but {self.name} learns from finite numbers. "
                "Check the extractor and the image."
            )
        return x

    def _labels(self, y: np.ndarray) -> np.ndarray:
        labels, classes = np.asarray(y), self.task.classes
        wrong = labels[~np.isin(labels, np.arange(len(classes)))]
        if labels.ndim != 1 or wrong.size:
            raise UserError(
                f"The label {wrong[0] if wrong.size else labels.tolist()} is not in the class list: {len(classes)} classes "
                f"({some(classes, 3, 'class', 'classes')}) have the labels 0 to {len(classes) - 1}. Name every class before the stream begins."
            )
        return labels.astype(np.int64)


_registry = FileRegistry[type[Learner]](__name__, "learner")
names, require_known, find, register = _registry.names, _registry.require_known, _registry.find, _registry.register


def checked_learner(name: str, options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Checks names and types of a learner's options, as `checked_options` does, and returns them."""
    return checked_options(find(name), options, f"the learner {name!r}")


def create_learner(name: str, task: LearningTask, options: Mapping[str, Any] | None = None) -> Learner:
    """Creates a learner that has learned nothing yet, once its options are checked.

    Raises:
        UserError: If the name or an option is unknown, or an option breaks a rule of the learner.
        CodeError: If its code fails.
    """
    options = checked_learner(name, options)
    try:
        return find(name)(task, **options)
    except (UserError, MemoryError):
        raise
    except Exception as error:
        raise CodeError(f"The learner {name!r} cannot be made. {told(error)}") from error
