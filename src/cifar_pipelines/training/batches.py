"""Batches that are the same images, augmented alike, whatever the number of workers.

Every training image has a place in the global batch for the whole training. In every epoch the images of one place come in
an order drawn from (seed, epoch, image), one per step. A worker has whole places, hence for every step the same images as
another number of workers would have. An image is mixed with the one that comes after it at its place, in the next step's batch:
its partner is on the same worker, and is augmented anyway.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cifar_pipelines.training.augmentation import Augmentation, Chain
from cifar_pipelines.training.draws import Draws
from cifar_pipelines.training.mixing import Mixing

BUCKET_STEPS = 32  # in which texts are sorted by length: few enough for batches to be random, enough for little padding


def draw_places(images: int, batch_size: int, seed: int) -> np.ndarray:
    """Places in the global batch, int64 of shape (images,), of the training images in the order of their ranks.

    The worker of rank r of w has the images of which place % w is r.
    """
    # Shuffled first: in a stratified subset classes take turns, and every second image is of every second class.
    return np.random.default_rng(seed).permutation(images) % batch_size


@dataclass(frozen=True)
class PlacedShard:
    """A worker's share of the training images, or of features that were computed of them.

    Attributes:
        images: uint8 tensor of shape (n, 3, height, width); or float features, n in all, which nothing augments or mixes.
        labels: int64 tensor of shape (n,).
        keys: From `draws.image_keys`, of shape (n,).
        places: From `draw_places`, of shape (n,).
        seed: The same on every worker.
        lengths: Of texts their tokens, int64 (n,): those of about the same length come together. None for images.
    """

    images: Tensor
    labels: Tensor
    keys: Tensor
    places: np.ndarray
    seed: int
    lengths: np.ndarray | None = None

    def batches(
        self,
        epoch: int,
        steps: int,
        classes: int,
        augmentation: Augmentation | None = None,
        mixing: Mixing | None = None,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of one epoch, of one image per place, in the order of the places.

        Args:
            epoch: The epoch, counted from 0 over the whole training.
            steps: Steps of the epoch; a place with fewer images, because some were damaged, begins again.
            classes: Number of classes.
            augmentation: What is done to images; None for nothing.
            mixing: How they are mixed; None, or one that mixes nothing, for not at all.

        Yields:
            Images, as `images` has them, and labels (n,), int64; where images are mixed, shares of the classes (n, classes).
        """
        augment, order = augmentation or Chain({}), Order(self, epoch, steps)
        following = None
        for step in range(steps):
            images, labels, draws = following or self._batch(order, step, epoch, augment)
            if not mixing:
                yield images, labels
                continue
            following = self._batch(order, step + 1, epoch, augment)
            yield mixing(images, following[0], (labels, following[1]), classes, draws.of("mixing"))

    def _batch(self, order: "Order", step: int, epoch: int, augment: Augmentation) -> tuple[Tensor, Tensor, Draws]:
        chosen = order(step)
        draws = Draws.begin(self.keys[chosen], self.seed, epoch)
        return augment(self.images[chosen], draws), self.labels[chosen], draws


class Order:
    """Which image of a shard stands at every place in a step of an epoch of so many, counted as in `PlacedShard.batches`."""

    def __init__(self, shard: PlacedShard, epoch: int, steps: int) -> None:
        drawn = Draws.begin(shard.keys, shard.seed, epoch).uniform("order").numpy()
        self._sorted = np.lexsort((drawn, shard.places))
        _, self._first, self._counts = np.unique(shard.places[self._sorted], return_index=True, return_counts=True)
        if shard.lengths is not None:
            self._bucket(shard.lengths, steps, np.random.default_rng([shard.seed, epoch]))

    def _bucket(self, lengths: np.ndarray, steps: int, random: np.random.Generator) -> None:
        """Within so many steps, has every place begin with its shortest text, then shuffles these steps for all places alike.

        So the texts of a step are of about the same length, on every worker, whatever the number of workers.
        """
        for start in range(0, steps - BUCKET_STEPS + 1, BUCKET_STEPS):
            shuffled = random.permutation(BUCKET_STEPS)
            for first, count in zip(self._first, self._counts, strict=True):
                if start + BUCKET_STEPS <= count:  # not where a place has few texts, because some were damaged
                    window = slice(first + start, first + start + BUCKET_STEPS)
                    chosen = self._sorted[window]
                    self._sorted[window] = chosen[np.argsort(lengths[chosen], kind="stable")][shuffled]

    def __call__(self, step: int) -> Tensor:
        """Positions in the shard, int64 of shape (places,)."""
        return torch.from_numpy(self._sorted[self._first + step % self._counts])
