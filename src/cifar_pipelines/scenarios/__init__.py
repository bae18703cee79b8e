"""Scenarios: in which order the images of a stream come, and what happens to their labels. One file, one scenario."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import checked_options
from cifar_pipelines.common.registry import FileRegistry
from cifar_pipelines.common.words import counted


@dataclass(frozen=True)
class Stream:
    """The images of a stream, in order.

    Attributes:
        image_id: (n,) object: ids of the images.
        label: (n,) int64: the labels that the learners are given.
        phases: Place of the first image of every phase; the first is 0.
        phase_classes: The classes of every phase, where phases are made of classes.
        drift_at: Place of the first image after the drift, or None.
        label_delay: Images that come between an image and its label.
    """

    image_id: np.ndarray
    label: np.ndarray
    phases: tuple[int, ...] = (0,)
    phase_classes: tuple[tuple[int, ...], ...] = ()
    drift_at: int | None = None
    label_delay: int = 0


Scenario = Callable[..., Stream]
_registry = FileRegistry[Scenario](__name__, "scenario")
# A decorator for a function that takes ids (n,), labels (n,) and a random generator and, keyword-only and with defaults, options.
names, require_known, find, register = _registry.names, _registry.require_known, _registry.find, _registry.register


def checked_scenario(name: str, options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Checks names and types of a scenario's options, as `checked_options` does, and returns them."""
    return checked_options(find(name), options, f"the scenario {name!r}")


def make_stream(
    name: str, image_id: Sequence[str], label: Sequence[int], seed: int, options: Mapping[str, Any] | None = None
) -> Stream:
    """Orders images as a scenario has it; the same images and the same seed give the same stream.

    Args:
        name: Name of the scenario.
        image_id: (n,) ids, in any order: they are sorted first.
        label: (n,) whole numbers: their labels.
        seed: Seed of whatever is drawn.
        options: Options of the scenario.

    Raises:
        UserError: If the name or an option is unknown, an option breaks a rule, there is no image, or one is there twice.
    """
    checked = checked_scenario(name, options)
    ids, labels = np.asarray(image_id, dtype=object), np.asarray(label, dtype=np.int64)
    if not len(ids) or len(ids) != len(labels):
        raise UserError(
            f"A stream of {counted(len(ids), 'image')} with {counted(len(labels), 'label')} cannot begin. Give at least one image, each with its label."
        )
    order = np.argsort(ids, kind="stable")
    ids, labels = ids[order], labels[order]
    if (twice := ids[1:][ids[1:] == ids[:-1]]).size:
        raise UserError(f"The image {twice[0]!r} is there twice, but a stream names every image once.")
    return find(name)(ids, labels, np.random.default_rng(seed), **checked)
