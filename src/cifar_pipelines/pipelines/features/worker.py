"""The work of a Python worker on its share of the image table: decode, resize, extract."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cifar_pipelines.common.precision import resolve_precision
from cifar_pipelines.common.tables import FEATURES, lists_of
from cifar_pipelines.common.worker_cache import built_once
from cifar_pipelines.extractors import Extractor, FeatureFunction, State

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("image_id", "label", "split", "image")  # of the rows that features are extracted from
Change = Callable[[Any, int], Any]


@dataclass(frozen=True)
class ExtractionJob:
    """Everything a worker needs; it is pickled into every task, so the state comes by a function.

    Attributes:
        key: Names the job; a worker builds the network once per key.
        extractor: The extractor.
        load_state: Returns the extractor's prepared state; called once per worker.
        precision: "bf16", "fp32", or "auto" for bf16 where the worker's CPU has it.
        micro_batch: Images per forward pass; small ones keep activations in the CPU's cache.
    """

    key: str
    extractor: Extractor
    load_state: Callable[[], State]
    precision: str
    micro_batch: int

    def features(self) -> FeatureFunction:
        """The feature function of this process, built at the first call."""

        def build() -> FeatureFunction:
            import torch

            torch.set_num_threads(1)  # a worker is one task, which has one core
            return self.extractor.build(self.load_state(), resolve_precision(self.precision))

        return built_once(self.key, build)


def warm_up(job: ExtractionJob) -> dict[str, Any]:
    """Imports torch, builds the network and runs one micro-batch; returns what is known of the worker."""
    import torch

    started = time.perf_counter()
    job.features()(job.extractor.example(job.micro_batch))
    return {
        "host": os.uname().nodename,
        "pid": os.getpid(),
        "precision": resolve_precision(job.precision),
        "threads": torch.get_num_threads(),
        "seconds": time.perf_counter() - started,
    }


def extract_array(job: ExtractionJob, encoded: list[bytes], change: Change | None = None) -> Any:
    """Extracts the features of image files: a float32 array of shape (len(encoded), d).

    Args:
        job: The job.
        encoded: The files.
        change: Changes decoded images, uint8 (n, 3, size, size), the first of which has this place in `encoded`, before they enter.
    """
    import numpy as np

    features, extractor = job.features(), job.extractor
    chosen, parts = list(extractor.chunks(encoded, job.micro_batch)), []
    for positions in chosen:
        loaded = extractor.load([encoded[one] for one in positions])
        parts.append(features(loaded if change is None else change(loaded, positions[0])))
    return np.concatenate(parts)[np.argsort(np.concatenate(chosen))]


def extract_batches(
    batches: Iterator["pa.RecordBatch"], job: ExtractionJob, add_cpu_seconds: Callable[[float], None]
) -> Iterator["pa.RecordBatch"]:
    """Replaces the column `image` by the column `features`, batch by batch.

    Args:
        batches: Record batches with the columns `image_id`, `label`, `split` and `image`.
        job: The job.
        add_cpu_seconds: Receives the CPU seconds of this process, once, at the end.

    Yields:
        Record batches with the columns `image_id`, `label`, `split` and `features` (list of float32).
    """
    started = time.process_time()
    for batch in batches:
        if not batch.num_rows:
            continue
        features = extract_array(job, batch.column("image").to_pylist())
        yield FEATURES.batch(*(batch.column(name) for name in FEATURES.names[:-1]), lists_of(features))
    add_cpu_seconds(time.process_time() - started)
