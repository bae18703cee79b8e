"""Where a worker computes: the CPU, or a card of its own."""

import logging
import os
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.precision import resolve_precision
from cifar_pipelines.training.gpu_libraries import require_libraries

logger = logging.getLogger(__name__)

DEVICES = ("auto", "cpu", "gpu")
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Device:
    """A device.

    Attributes:
        name: What torch calls it: "cpu", or "cuda:1" for the second card.
        backend: How its workers exchange gradients: "gloo" or "nccl".
        pins: Whether batches on their way to a card are copied into pinned memory first.
    """

    name: str
    backend: str
    pins: bool = True

    @property
    def kind(self) -> str:
        """The device without its number: "cpu" or "cuda"."""
        return self.name.partition(":")[0]

    def autocast(self, precision: str) -> Any:
        """The context in which a forward pass computes in `precision`; nothing changes for "fp32"."""
        return torch.autocast(self.kind, dtype=_DTYPES[precision]) if precision in _DTYPES else nullcontext()

    def take(self, batch: torch.Tensor) -> torch.Tensor:
        """A batch on this device; this process need not wait for the copy of one that is pinned."""
        if self.kind == "cuda" and self.pins:
            batch = batch.pin_memory()
        return batch.to(self.name, non_blocking=True)

    def seed(self, number: int) -> None:
        """Seeds what is drawn on this device, at any step.

        For every kind of card that is not in use, torch.manual_seed would keep a note with the place in the code: a millisecond
        and some memory at every step.
        """
        torch.default_generator.manual_seed(number)
        if self.kind == "cuda":
            torch.cuda.manual_seed(number)


CPU = Device("cpu", "gloo")


def device_of(on_gpu: bool, pins: bool = True) -> Device:
    """The device of this worker; on a host with cards, one process has one, by its number on the host."""
    if not on_gpu:
        return CPU
    number = int(os.environ.get("LOCAL_RANK", "0"))
    torch.cuda.set_device(number)
    return Device(f"cuda:{number}", "nccl", pins)


def called(device: torch.device) -> str:
    """What people call a device: "CPU", or the name of the card."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def card_memory_mb(device: torch.device) -> float | None:
    """The most memory in MiB that this process has had on a card at once; None on the CPU."""
    return round(torch.cuda.max_memory_allocated(device) / 2**20, 1) if device.type == "cuda" else None


def cards() -> int:
    """How many cards this host has; 0 where torch sees none.

    Raises:
        UserError: If there are some, and libraries that they need are missing.
    """
    if not torch.cuda.is_available():
        return 0
    require_libraries()
    return torch.cuda.device_count()


def require_device(wanted: str) -> None:
    """Raises a `UserError` for a word that is no device."""
    if wanted not in DEVICES:
        raise UserError(f"device is {wanted!r}, but must be one of {', '.join(DEVICES)}.")


def settle_device(wanted: str, workers: int) -> bool:
    """Whether workers on this host compute on cards; where there are some, but too few for "auto", that is said.

    Args:
        wanted: "auto" (cards, where there are as many as workers), "cpu" or "gpu".
        workers: Workers, each of which needs a card of its own.

    Raises:
        UserError: If the word is unknown, or cards are wanted and there are too few.
    """
    require_device(wanted)
    if wanted == "gpu" and cards() < workers:
        raise UserError(
            f"device is 'gpu', but torch sees {cards()} cards on this host and the setting has {workers} workers, each of which "
            "needs one. Take a setting with fewer executors, or device cpu."
        )
    if wanted == "auto" and 0 < cards() < workers:
        logger.warning(
            "device auto takes the CPU: torch sees %d cards on this host and the setting has %d workers, each of which needs one. A "
            "setting with at most %d executors takes cards.",
            cards(), workers, cards(),
        )  # fmt: skip
    return wanted != "cpu" and cards() >= workers > 0


def settle_precision(wanted: str, on_gpu: bool) -> str:
    """The precision in which this host's device computes; "auto" is bf16 where the device has it.

    Raises:
        UserError: If fp16 is wanted of a CPU.
    """
    if on_gpu:
        return ("bf16" if torch.cuda.is_bf16_supported() else "fp16") if wanted == "auto" else wanted
    if wanted == "fp16":
        raise UserError("precision is 'fp16', which only GPUs train in. Give auto, bf16 or fp32.")
    return resolve_precision(wanted)
