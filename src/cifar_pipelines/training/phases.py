"""The phases of a transfer: what of a pretrained network is trained, on what, how long and how."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from typing import Any

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import build, number, whole
from cifar_pipelines.training.batchnorm import require_policy
from cifar_pipelines.training.mixing import Mixing
from cifar_pipelines.training.optimisers import Optimiser
from cifar_pipelines.training.schedules import Schedule
from cifar_pipelines.training.stages import Stages

HEAD, ALL = "head", "all"
CACHE, IMAGES = "cache", "images"
SMALLEST_NORMALISED_BATCH = 8  # below, a batch says little of the mean and variance of all images

_LAST = re.compile(r"last:([1-9]\d*)")
# Only these change an image in a way that a stored vector cannot follow.
_OF_IMAGES = ("augmentation", "mixing")


@dataclass(frozen=True)
class Phase:
    """One phase: a training of its own, with an optimizer of its own, from the weights that the one before kept.

    It is the recipe of its trainer.

    Attributes:
        train: What is trained: "head"; "last:<k>", the last k blocks and the head; or "all".
        epochs: Passes over the training images, at most.
        batch_size: Images per step, over all workers.
        optimiser: The optimiser and its rates by block.
        schedule: How the learning rate moves over the phase.
        inputs: "images", or "cache": what the frozen network makes of the images, stored once.
        bn: What batch normalisation does in what is trained: "frozen", "affine" or "train".
        averaging: Decay per step of an exponential average of the weights, which is what is kept; 0 for none.
        augmentation: Steps of augmentation, by name.
        mixing: How images are mixed with others of their batch.
        label_smoothing: Share of the target that is spread over all classes.
        patience: Epochs without a better validation accuracy after which the phase ends; 0 for no end before its time.
    """

    train: str
    epochs: int
    batch_size: int
    optimiser: Optimiser
    schedule: Schedule = field(default_factory=Schedule)
    inputs: str = IMAGES
    bn: str = "frozen"
    averaging: float = 0.0
    augmentation: list = field(default_factory=list)
    mixing: Mixing = field(default_factory=Mixing)
    label_smoothing: float = 0.0
    patience: int = 0

    def __post_init__(self) -> None:
        if self.train not in (HEAD, ALL) and not _LAST.fullmatch(self.train):
            raise UserError(
                f"A phase's train is {self.train!r}, but must be head, all, or last:<k> for the last k blocks. Give last:2."
            )
        if self.inputs not in (CACHE, IMAGES):
            raise UserError(f"A phase's inputs is {self.inputs!r}, but must be {CACHE} or {IMAGES}.")
        for name, least in (("epochs", 1), ("batch_size", 1), ("patience", 0)):
            whole(f"A phase's {name}", getattr(self, name), least)
        for name in ("averaging", "label_smoothing"):
            number(f"A phase's {name}", getattr(self, name), 0, 1, below=True)
        require_policy(self.bn)
        if self.inputs == CACHE:
            self._check_cached()

    def _check_cached(self) -> None:
        if self.train != HEAD:
            raise UserError(
                f"A phase trains {self.train!r} on cache, but what is stored is what the whole frozen network makes of an image, "
                "so only the head can be trained on it. Write inputs: images, or train: head."
            )
        for name in _OF_IMAGES:
            if getattr(self, name):
                raise UserError(
                    f"A phase on cache has {name}, but stored features of an image are always the same. "
                    f"Leave {name} out, give more views, or write inputs: images."
                )

    @property
    def blocks(self) -> float:
        """How many blocks are trained beside the head; infinite for all."""
        found = _LAST.fullmatch(self.train)
        return inf if self.train == ALL else int(found[1]) if found else 0

    @property
    def learning_rate(self) -> float:
        """The head's peak, which the message on a loss that is not finite names."""
        return self.optimiser.learning_rate

    @property
    def words(self) -> str:
        """The phase in a few words, for log lines and figures."""
        return {HEAD: "head", ALL: "all"}.get(self.train, f"last {self.blocks} blocks") + (
            " on stored features" if self.inputs == CACHE else ""
        )


def build_phases(blocks: Any, what: str) -> tuple[Phase, ...]:
    """Checks and builds the list of phases of a model.

    Args:
        blocks: The list, as the configuration holds it.
        what: What it belongs to, for messages.

    Raises:
        UserError: If there is no phase, one breaks a rule, or their order makes no sense.
    """
    if not isinstance(blocks, Sequence) or isinstance(blocks, str) or not blocks:
        raise UserError(
            f"{what}.phases is {blocks!r}, but must be a list of at least one phase, such as "
            "[{train: head, inputs: cache, epochs: 20, batch_size: 64, optimiser: {name: adam, learning_rate: 0.001}}]."
        )
    phases = tuple(
        build(Phase, block, f"phase {place} of {what}.phases") for place, block in enumerate(blocks, start=1)
    )
    for position, (before, phase) in enumerate(pairwise(phases), start=2):
        if phase.inputs == CACHE and before.inputs == IMAGES:
            raise UserError(
                f"Phase {position} of {what}.phases trains on cache after a phase on images, when stored features are no longer "
                "those of the network. Put phases on cache first."
            )
        if phase.blocks < before.blocks:
            raise UserError(
                f"Phase {position} of {what}.phases trains {phase.train!r} after {before.train!r}, which is more: phases go from "
                "the head to the whole network. Change their order."
            )
    return phases


def learning_prefixes(phase: Phase, stages: Stages, what: str) -> list[str] | None:
    """Prefixes of the names of the parameters that a phase trains; None for all.

    Args:
        phase: The phase.
        stages: The blocks of the network from input to output, the last of which is the head.
        what: The network's name, for messages.

    Raises:
        UserError: If the network has fewer blocks than the phase trains.
    """
    if phase.train == ALL:
        return None
    *blocks, _ = stages
    if phase.blocks > len(blocks):
        raise UserError(
            f"A phase trains {phase.train!r}, but {what} has {len(blocks)} blocks: {', '.join(name for name, _ in blocks)}. "
            f"Give last:<k> with k from 1 to {len(blocks)}, or all."
        )
    return [prefix for _, prefixes in stages[-1 - int(phase.blocks) :] for prefix in prefixes]
