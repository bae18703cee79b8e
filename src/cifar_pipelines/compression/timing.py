"""How long variants take, measured in turn, so that all of them see the same host."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.words import first_line
from cifar_pipelines.compression.subject import Subject
from cifar_pipelines.compression.variants import Logits
from cifar_pipelines.records.deployment_record import Latency

ROUNDS = 5
LEAST_CALLS = 4  # of a round, however long they take
BATCHES = (1, 32)  # images per call that are timed
ODD_BATCH = 7  # a file that was frozen at one size refuses it


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Has torch compute with so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def require_any_batch(logits: Logits, subject: Subject) -> None:
    """Raises a `UserError` for a variant that does not answer every number of images with finite logits."""
    for images in (*BATCHES, ODD_BATCH):
        try:
            found = logits(subject.example(images))
        except Exception as error:  # of whatever runs it
            raise UserError(f"It cannot predict {images} images at once ({first_line(str(error), 200)}).") from error
        wanted = (images, len(subject.class_names))
        if tuple(found.shape) != wanted or not found.isfinite().all():
            raise UserError(f"Of {images} images it makes no finite logits of the shape {wanted}.")


def time_in_turn(variants: Mapping[str, Logits], images: Tensor, warm_up: int, seconds: float) -> dict[str, Latency]:
    """Times calls of variants on one batch of images.

    In each of `ROUNDS` rounds every variant has its turn: calls that warm up, then calls that count, for its share of the
    seconds and at least `LEAST_CALLS`.

    Args:
        variants: What is timed, by name.
        images: The batch, as modules take it.
        warm_up: Calls before the clock in every turn.
        seconds: Seconds for each variant.
    """
    taken: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(ROUNDS):
        for name, logits in variants.items():
            for _ in range(warm_up):
                logits(images)
            calls, until = 0, time.perf_counter() + seconds / ROUNDS
            while calls < LEAST_CALLS or time.perf_counter() < until:
                started = time.perf_counter()
                logits(images)
                taken[name].append(1000 * (time.perf_counter() - started))
                calls += 1
    return {name: _latency(len(images), calls) for name, calls in taken.items()}


def _latency(batch: int, milliseconds: list[float]) -> Latency:
    p50, p95 = map(float, np.percentile(milliseconds, [50, 95]))
    return Latency(batch, round(p50, 4), round(p95, 4), round(1000 * batch / p50, 1), len(milliseconds))
