"""Random numbers that belong to an image: functions of (seed, epoch, image), whoever draws them, and in whatever batch.

A worker has no generator whose state could depend on what it drew before. Every number is a hash of a counter, the way of
SplitMix64 (Steele, Lea and Flood, 2014), so that a batch draws all of its numbers at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Generator, Tensor

_STEP = 0x9E3779B97F4A7C15  # 2**64 over the golden ratio
_ALL = 2**64 - 1


def image_keys(image_ids: Sequence[str]) -> "Tensor":
    """Digests of image ids, int64 of shape (n,), by which draws tell images apart."""
    import torch

    return torch.tensor([_digest(image_id) for image_id in image_ids], dtype=torch.uint64).view(torch.int64)


@dataclass(frozen=True)
class Draws:
    """What a batch of images draws in an epoch; every number has a name, and the same name gives the same number again.

    Attributes:
        state: One hash per image, uint64 of shape (n,).
    """

    state: np.ndarray

    @classmethod
    def begin(cls, keys: "Tensor", seed: int, epoch: int) -> "Draws":
        """The draws of images in an epoch.

        Args:
            keys: From `image_keys`, of shape (n,).
            seed: The seed of the training, the same on every worker.
            epoch: The epoch, counted over the whole training.
        """
        seeded = _mix(keys.numpy().view(np.uint64) ^ _mix(np.array([seed & _ALL], dtype=np.uint64)))
        return cls(_mix(seeded + np.uint64(epoch * _STEP & _ALL)))

    @classmethod
    def drawn(cls, count: int, generator: "Generator") -> "Draws":
        """The draws of so many images from a generator, whose next numbers they take."""
        import torch

        return cls(torch.randint(2**63 - 1, (count,), generator=generator).numpy().view(np.uint64))

    def of(self, name: str) -> "Draws":
        """Draws that have nothing to do with those of another name."""
        return Draws(_mix(self.state ^ np.uint64(_digest(name))))

    def uniform(self, name: str, least: float = 0.0, most: float = 1.0) -> "Tensor":
        """Numbers from `least` to below `most`, float64 of shape (n,)."""
        import torch

        numbers = (self.of(name).state >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return torch.from_numpy(least + (most - least) * numbers)

    def whole(self, name: str, below: "int | Tensor") -> "Tensor":
        """Whole numbers from 0 to below a limit, or to below one limit per image; int64 of shape (n,)."""
        return (self.uniform(name) * below).long()

    def true(self, name: str, probability: float) -> "Tensor":
        """Whether something with this probability happens, bool of shape (n,)."""
        return self.uniform(name) < probability

    def seeds(self) -> list[int]:
        """A seed per image for a generator of torch."""
        return [int(one) for one in self.of("seed").state >> np.uint64(1)]


def _mix(state: np.ndarray) -> np.ndarray:
    """SplitMix64: the next state, with its bits spread over the whole of it."""
    state = state + np.uint64(_STEP)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def _digest(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")
