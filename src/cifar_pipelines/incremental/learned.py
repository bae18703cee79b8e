"""A learner that has learned, as plain data: arrays, and the words that build the learner for them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cifar_pipelines.learners import Learner, LearningTask, State, create_learner

_DESCRIPTION = "description"


@dataclass(frozen=True)
class LearnedModel:
    """A learner that has learned.

    Attributes:
        learner: Name of the learner.
        options: Its options.
        task: What it has learned.
        features: What identifies the features that it learned from.
        state: Its state.
    """

    learner: str
    options: dict[str, Any]
    task: LearningTask
    features: dict[str, Any]
    state: State

    def build(self) -> Learner:
        """The learner with what it has learned."""
        learner = create_learner(self.learner, self.task, self.options)
        learner.load(self.state)
        return learner

    def as_arrays(self) -> dict[str, np.ndarray]:
        """Everything as arrays of numbers and one of text, which numpy loads without running code."""
        kept = {name: value for name, value in vars(self).items() if name != "state"} | {"task": asdict(self.task)}
        return self.state | {_DESCRIPTION: np.array(json.dumps(kept))}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "LearnedModel":
        """The model that `as_arrays` described."""
        state = dict(arrays)
        kept = json.loads(str(state.pop(_DESCRIPTION)))
        task = kept.pop("task")
        task = LearningTask(tuple(task["classes"]), task["dimension"], task["seed"])
        return cls(task=task, state=state, **kept)
