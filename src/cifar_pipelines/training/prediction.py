"""Prediction on the executors with a trained network, and how long one image takes."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cifar_pipelines.backbones import TextSpec
from cifar_pipelines.common.images import load_batch
from cifar_pipelines.common.tables import PREDICTIONS
from cifar_pipelines.common.worker_cache import built_once

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from torch import Tensor, nn

    from cifar_pipelines.backbones import InputSpec
    from cifar_pipelines.training.prediction_views import PredictionViews

PREDICTION_BATCH = 250
TEXTS_AT_ONCE = 32
_TIMED_IMAGES = 50


@dataclass(frozen=True)
class PredictionJob:
    """Everything a Python worker needs to predict.

    Attributes:
        key: Names the job; a worker builds the network once per key.
        load_network: Returns the network with its weights; called once per worker.
        size: Height and width of the network's images in pixels.
        precision: "bf16" or "fp32".
        views: Over which views of an image the logits are averaged.
        input: What a transferred network expects of an image or a text; None for a CNN of the project's own.
    """

    key: str
    load_network: Callable[[], "nn.Module"]
    size: int
    precision: str
    views: "PredictionViews"
    input: "InputSpec | TextSpec | None" = None

    def images(self, encoded: Sequence[bytes]) -> "Tensor":
        """Decodes image files as the network sees them: uint8 (n, 3, size, size)."""
        return load_batch(encoded, self.input.square if self.input else self.size)

    def predict(self, encoded: Sequence[bytes]) -> "np.ndarray":
        """Probabilities, float32 (n, classes), of files of images or texts."""
        import numpy as np

        if not isinstance(self.input, TextSpec):
            return self.probabilities(self.images(encoded))
        chosen, made = [], []
        for positions, ids in self.input.batches(encoded, TEXTS_AT_ONCE):
            chosen += positions
            made.append(self.probabilities(ids))
        return np.concatenate(made)[np.argsort(chosen)]

    def example(self) -> "Tensor":
        """As many images that mean nothing as enter a network together, or texts."""
        import torch

        if isinstance(self.input, TextSpec):
            return self.input.example(TEXTS_AT_ONCE)
        return torch.randint(0, 256, (PREDICTION_BATCH, 3, self.size, self.size), dtype=torch.uint8)

    def network(self) -> "nn.Module":
        """The network of this process, built at the first call; one thread, since a task has one core."""

        def build() -> "nn.Module":
            import torch

            torch.set_num_threads(1)
            return self.load_network().eval()

        return built_once(self.key, build)

    def probabilities(self, images: Any) -> Any:
        """Softmax of the logits, float32 (n, classes), of uint8 images (n, 3, size, size)."""
        from cifar_pipelines.training.shard import normalise
        from cifar_pipelines.training.trainer import predict_logits

        prepare = self.input.prepare if self.input else normalise
        return predict_logits(self.network(), images, self.precision, self.views, prepare).softmax(1).numpy()


def network_of(broadcast: Any) -> "nn.Module":
    """The module of a broadcast `as_dict()` of a trained or transferred network."""
    from cifar_pipelines.training.saved_network import network_from

    return network_from(broadcast.value).build()


def predict_batches(batches: Iterator["pa.RecordBatch"], job: PredictionJob) -> Iterator["pa.RecordBatch"]:
    """Predicts record batches with the columns `image_id`, `label` and `image`; yields the columns of `PREDICTIONS`."""
    for batch in batches:
        if not batch.num_rows:
            continue
        probability = job.predict(batch.column("image").to_pylist())
        known = (batch.column("image_id"), batch.column("label"))
        yield PREDICTIONS.batch(*known, probability.argmax(1), list(probability))


def time_prediction(job: PredictionJob) -> dict[str, float]:
    """Times prediction alone on one core: tensors in, probabilities out, decoding not counted.

    Returns:
        Milliseconds per image: `batch_1_ms`, the median of 50 single images, and `batch_<n>_ms` for n = `batch`.
    """
    import torch

    images = job.example()
    job.probabilities(images)
    singles = [_milliseconds(job, images[i : i + 1]) for i in range(min(_TIMED_IMAGES, len(images)))]
    batched = statistics.median(_milliseconds(job, images) for _ in range(3)) / len(images)
    return {
        "batch_1_ms": round(statistics.median(singles), 3),
        f"batch_{len(images)}_ms": round(batched, 4),
        "batch": len(images),
        "threads": torch.get_num_threads(),
    }


def _milliseconds(job: PredictionJob, images: Any) -> float:
    started = time.perf_counter()
    job.probabilities(images)
    return 1000 * (time.perf_counter() - started)
