"""What a network of texts needs beside its weights: tokenizer, configuration, how long a text may be and how it is pooled."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import whole
from cifar_pipelines.common.texts import decode

if TYPE_CHECKING:
    import numpy as np
    import torch
    from tokenizers import Tokenizer

POOLINGS = (
    "mean",
    "first",
    "pooler",
)  # of all tokens; the first token; what the network's own pooler makes of that one


class Tokens(NamedTuple):
    """The tokens of texts.

    Attributes:
        ids: Of every text those that the network sees, int64 (tokens,).
        truncated: How many texts were longer.
    """

    ids: "list[np.ndarray]"
    truncated: int


@dataclass(frozen=True)
class TextSpec:
    """How texts become the input of a network; a network that is saved holds it whole, so that its folder may be gone.

    Attributes:
        max_tokens: Tokens of a text that the network sees, special ones included; the end of a longer text is cut off.
        pooling: One of `POOLINGS`.
        tokenizer: The tokenizer as `tokenizers` writes it, JSON.
        config: The network's configuration as transformers writes it, JSON.
        pad: The token that fills up short texts of a batch, which the network does not look at.
    """

    max_tokens: int
    pooling: str
    tokenizer: str
    config: str
    pad: int

    def __post_init__(self) -> None:
        whole("max_tokens", self.max_tokens, 3)  # two of which are special ones
        if self.pooling not in POOLINGS:
            raise UserError(f"pooling is {self.pooling!r}, but must be one of {', '.join(POOLINGS)}.")

    @property
    def size(self) -> int:
        """The longest input."""
        return self.max_tokens

    @property
    def square(self) -> None:
        """There are no pixels."""

    def adapted(self, max_tokens: int | None = None, pooling: str | None = None) -> "TextSpec":
        """The same for another length or pooling; None keeps what is."""
        return replace(self, max_tokens=max_tokens or self.max_tokens, pooling=pooling or self.pooling)

    def tokens(self, encoded: Sequence[bytes]) -> Tokens:
        """Tokenises files of texts, at most `max_tokens` of each."""
        import numpy as np

        found = _tokenizer(self.tokenizer, self.max_tokens).encode_batch([decode(text) for text in encoded])
        ids = [np.array(one.ids, dtype=np.int64) for one in found]
        return Tokens(ids, sum(bool(one.overflowing) for one in found))

    def batch(self, ids: "Sequence[np.ndarray]") -> "torch.Tensor":
        """Texts as one input, int64 (texts, tokens of the longest of them), filled up with `pad`."""
        import torch

        made = torch.full((len(ids), max(map(len, ids), default=1)), self.pad)
        for row, one in zip(made, ids, strict=True):
            row[: len(one)] = torch.from_numpy(one)
        return made

    def batches(self, encoded: Sequence[bytes], texts: int) -> "Iterator[tuple[list[int], torch.Tensor]]":
        """Inputs of so many texts of about the same length, shortest first, each with the positions of its texts."""
        ids = self.tokens(encoded).ids
        order = sorted(range(len(ids)), key=lambda position: len(ids[position]))
        for start in range(0, len(order), texts):
            chosen = order[start : start + texts]
            yield chosen, self.batch([ids[position] for position in chosen])

    def example(self, texts: int) -> "torch.Tensor":
        """Texts of the greatest length that mean nothing, int64 (texts, max_tokens)."""
        import torch

        return torch.full((texts, self.max_tokens), self.pad + 1)

    def prepare(self, ids: "torch.Tensor") -> "torch.Tensor":
        """What the network takes of an input: the same."""
        return ids

    @property
    def in_full(self) -> str:
        """All that becomes of a text, in words."""
        return f"at most {self.max_tokens} tokens, pooled by {self.pooling}, tokenizer {sha256(self.tokenizer)[:16]}, configuration {sha256(self.config)[:16]}"

    def to_json(self) -> dict[str, Any]:
        """A block of JSON for records, in which checksums stand for tokenizer and configuration."""
        return {
            "max_tokens": self.max_tokens,
            "pooling": self.pooling,
            "tokenizer_sha256": sha256(self.tokenizer),
            "config_sha256": sha256(self.config),
        }

    def saved(self) -> dict[str, Any]:
        """All of it, for the file of a network."""
        return asdict(self)

    @classmethod
    def from_saved(cls, block: Mapping[str, Any]) -> "TextSpec":
        """Reads what `saved` gave."""
        return cls(**block)


def sha256(text: str) -> str:
    """The SHA-256 of a text, in hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=4)  # once per process: a tokenizer does not travel to the workers, its text does
def _tokenizer(content: str, max_tokens: int) -> "Tokenizer":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # a worker is one task, which has one core
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(content)
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer
