"""Texts of a share as batches of tokens: tokenised once, and padded to the longest of a batch."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from cifar_pipelines.backbones import TextSpec

EVALUATED_AT_ONCE = 64


@dataclass(frozen=True)
class Texts:
    """Texts of a share.

    Attributes:
        content: The tokens of every text that the network sees, int64 (tokens,).
        spec: What the network expects of a text.
        truncated: How many texts have more.
    """

    content: Sequence[np.ndarray]
    spec: TextSpec
    truncated: int = 0
    processes = 0  # of a loader: there is none
    evaluated_at_once = EVALUATED_AT_ONCE

    def __len__(self) -> int:
        return len(self.content)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of every text, int64 (n,)."""
        return np.array([len(one) for one in self.content], dtype=np.int64)

    def __getitem__(self, chosen: Tensor) -> Tensor:
        """The batch of texts at some positions, int64 (n,): int64 (n, tokens of the longest)."""
        return self.spec.batch([self.content[one] for one in chosen.tolist()])

    def batches(self, order: Iterable[Sequence[int]]) -> Iterator[Tensor]:
        """Yields a batch for every list of positions, in their order."""
        for chosen in order:
            yield self.spec.batch([self.content[one] for one in chosen])
