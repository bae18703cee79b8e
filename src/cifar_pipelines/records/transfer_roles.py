"""What a transferred network is beside others of the same backbone: from random weights, frozen, or fine-tuned."""

from collections.abc import Iterable, Mapping
from typing import Any

from cifar_pipelines.backbones.weights import NONE
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.training.phases import HEAD

TUNED, FROZEN, RANDOM = "fine-tuned", "frozen", "from random weights"
ROLES = (TUNED, FROZEN, RANDOM)


def role_of(record: RunRecord) -> str | None:
    """The role of a transferred network, by its weights and by what its phases trained.

    Returns:
        One of `ROLES`; None for a record without phases, and for a head on random weights that never learned.
    """
    if not record.phases or "weights_sha256" not in record.params:
        return None
    # Weights that were learned have the checksum of their file; random ones are in no file.
    return _role(record.params["weights_sha256"] is None, (phase.train for phase in record.phases))


def role_of_block(block: Mapping[str, Any]) -> str | None:
    """The role that a block of `transfer.models` would have."""
    return _role(block.get("weights") == NONE, (phase["train"] for phase in block["phases"]))


def _role(is_random: bool, trained: Iterable[str]) -> str | None:
    if all(what == HEAD for what in trained):
        return None if is_random else FROZEN
    return RANDOM if is_random else TUNED
