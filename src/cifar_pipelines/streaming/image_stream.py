"""What a server sends: the images of a source in batches, each a function of its number alone."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import pandas as pd

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import whole
from cifar_pipelines.scenarios import Stream, checked_scenario, make_stream
from cifar_pipelines.sources import ImageSource, sha256_of
from cifar_pipelines.streaming.wire import MAX_FRAME, MAX_IMAGES, StreamImage

ORDER_VERSION = 1
UNKNOWN = -1  # stands for a label that is missing, where there are numbers alone


@dataclass(frozen=True, eq=False)
class ImageStream:
    """Images in batches, in an order of their own in every epoch.

    Because number, seed and images decide what a frame holds, a server that starts again sends the same frames.

    Attributes:
        name: Who sends it; a receiver knows producers by their names.
        source: Where the images are read.
        images: Columns `image_id` (str) and `label` (whole number, or missing).
        batch_size: Images of a frame; the last one of an epoch holds the rest.
        seed: Decides the order.
        epochs: How often all images are sent; None for endlessly.
        scenario: Which order that is, and what befalls the labels: a name of `scenarios`.
        scenario_options: Its options.
    """

    name: str
    source: ImageSource
    images: pd.DataFrame
    batch_size: int
    seed: int
    epochs: int | None = 1
    scenario: str = "iid"
    scenario_options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", self.name):
            raise UserError(
                f"The name of the stream is {self.name!r}, but must consist of letters, digits, - and _, at most 64. "
                "Give another one with --name."
            )
        whole("The batch size", self.batch_size, 1)
        if self.epochs is not None:
            whole("The number of epochs", self.epochs, 1)
        if self.images.empty:
            raise UserError("There are no images to send. Check the source, and which images are asked for.")
        checked_scenario(self.scenario, self.scenario_options)
        _ordered(self, 0)  # what cannot be ordered is found here

    def check_size(self) -> None:
        """Raises a `UserError` if frames would be larger than a receiver takes; looks at some images."""
        ids = self.images["image_id"].tolist()
        each = self.source.total_bytes(ids) / len(ids) * 4 / 3 + 100  # in base64, with id and label
        most = min(MAX_IMAGES, int(MAX_FRAME / 2 / each))  # half, because some batches hold more than others
        if min(self.batch_size, len(ids)) > most:
            raise UserError(
                f"A batch of {self.batch_size:,} images is too large for a frame, which holds {MAX_FRAME // 2**20} MB: the images "
                f"have {each / 2**20:.2f} MB each on the wire. Give --batch-size {max(most, 1)} or less."
            )

    @property
    def frames_per_epoch(self) -> int:
        """How many frames hold all images."""
        return -(-len(self.images) // self.batch_size)

    @property
    def last(self) -> int | None:
        """The number of the last frame; None for a stream without end."""
        return None if self.epochs is None else self.epochs * self.frames_per_epoch

    @cached_property
    def digest(self) -> str:
        """Identifies images and order; the number of epochs and the pace are not part of it."""
        rows = self.images[["image_id", "label"]].itertuples(index=False)
        scenario = json.dumps([self.scenario, dict(self.scenario_options)], sort_keys=True)
        facts = (ORDER_VERSION, self.source.fingerprint(), self.batch_size, self.seed, scenario)
        return sha256_of((*facts, *(f"{image_id} {label}" for image_id, label in rows)))

    def epoch_of(self, number: int) -> int:
        """The epoch of a frame."""
        return (number - 1) // self.frames_per_epoch

    def count(self, number: int) -> int:
        """How many images a frame holds."""
        return len(self._part(number)[0])

    def read(self, number: int) -> Iterator[StreamImage]:
        """Reads the images of a frame."""
        ids, labels = self._part(number)
        for label, (image_id, image) in zip(labels, self.source.read(ids), strict=True):
            yield StreamImage(image_id, None if label == UNKNOWN else label, image)

    def facts(self) -> dict[str, Any]:
        """What a learner has to know of the order of the first epoch, as values that JSON can hold; see `scenarios.Stream`."""
        first = _ordered(self, 0)
        return {
            "name": self.scenario,
            "options": dict(self.scenario_options),
            "phases": list(first.phases),
            "phase_classes": [list(classes) for classes in first.phase_classes],
            "drift_at": first.drift_at,
            "label_delay": first.label_delay,
        }

    def _part(self, number: int) -> tuple[list[str], list[int]]:
        """Ids and labels of a frame."""
        start = (number - 1) % self.frames_per_epoch * self.batch_size
        ordered = _ordered(self, self.epoch_of(number))
        part = slice(start, start + self.batch_size)
        return ordered.image_id[part].tolist(), ordered.label[part].tolist()


@lru_cache(maxsize=4)
def _ordered(stream: ImageStream, epoch: int) -> Stream:
    """All images in the order of an epoch; that of the first has the seed of the stream."""
    labels = stream.images["label"].fillna(UNKNOWN).astype("int64")
    ids = stream.images["image_id"].tolist()
    return make_stream(stream.scenario, ids, labels.tolist(), stream.seed + epoch, stream.scenario_options)
