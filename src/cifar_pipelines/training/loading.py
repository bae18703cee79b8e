"""Images of a share as batches of pixels: decoded once and kept, or decoded again for every batch by processes of their own."""

import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.images import decode, resize

if TYPE_CHECKING:
    from cifar_pipelines.common.squares import Square

AUTO, MEMORY = "auto", "memory"
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where torch's loader hands batches over
EVALUATION_BATCH = 250
PREFETCHED = 2  # batches that every process of the loader holds ready

_WORKERS = re.compile(r"workers:([1-9]\d*)")


def require_loader(loader: str) -> None:
    """Raises a `UserError` for a word that names no loader."""
    if loader not in (AUTO, MEMORY) and not _WORKERS.fullmatch(loader):
        raise UserError(
            f"loader is {loader!r}, but must be memory (decoded once, kept), workers:<n> (n processes decode for every batch), "
            "or auto. Give memory."
        )


def loading_processes(loader: str) -> int:
    """Processes that decode for one worker; 0 for images that are kept in memory."""
    found = _WORKERS.fullmatch(loader)
    return int(found[1]) if found else 0


def kept_bytes(heights: np.ndarray, widths: np.ndarray, square: "Square") -> int:
    """Bytes that images take in memory: as they are, or as small as a network sees them."""
    return int(3 * np.minimum(heights.astype(np.int64) * widths, square.scaled_to**2).sum())


def keep(encoded: bytes, square: "Square") -> np.ndarray:
    """Decodes an image; one of more pixels than a network sees is made as small at once. uint8 (height, width, 3)."""
    pixels = decode(encoded, 2 * square.scaled_to)
    if pixels.shape[0] * pixels.shape[1] <= square.scaled_to**2:
        return pixels
    small = square.scale(torch.tensor(pixels).permute(2, 0, 1)[None])[0]
    return np.ascontiguousarray(small.permute(1, 2, 0).numpy())


@dataclass(frozen=True)
class Pictures:
    """Images of a share: kept as pixels or, where a loader's processes decode them, as files.

    Attributes:
        content: Pixels or files, one per image.
        square: What a network sees of an image.
        processes: Processes that decode; 0 for images that are kept as pixels.
    """

    content: Sequence[np.ndarray | bytes]
    square: "Square"
    processes: int = 0
    truncated = lengths = None  # of texts
    evaluated_at_once = EVALUATION_BATCH

    @classmethod
    def of(cls, files: Iterable[bytes], square: "Square", loader: str) -> "Pictures":
        """Decodes files, or keeps them for a loader's processes."""
        if processes := loading_processes(loader):
            return cls(list(files), square, processes)
        return cls([keep(file, square) for file in files], square)

    def __len__(self) -> int:
        return len(self.content)

    def __getitem__(self, chosen: Tensor) -> Tensor:
        """The batch of images at some positions, int64 (n,): uint8 (n, 3, size, size)."""
        return self.__getitems__(chosen.tolist())

    def __getitems__(self, chosen: Sequence[int]) -> Tensor:
        """The same for a list of positions; torch's loader calls it."""
        content = (self.content[one] for one in chosen)
        pixels = [one if isinstance(one, np.ndarray) else keep(one, self.square) for one in content]
        if not pixels:
            return torch.empty((0, 3, self.square.size, self.square.size), dtype=torch.uint8)
        return resize(pixels, self.square)

    def batches(self, order: Sequence[Sequence[int]]) -> Iterator[Tensor]:
        """Yields a batch for every list of positions, in their order, whatever loads them."""
        if not self.processes:
            yield from map(self.__getitems__, order)
            return
        from torch.utils.data import DataLoader

        require_shared_memory(max(map(len, order), default=0), self.square.size, self.processes)
        yield from DataLoader(
            self, batch_sampler=order, num_workers=self.processes, collate_fn=_as_it_is, prefetch_factor=PREFETCHED,
        )  # fmt: skip


class Streamed:
    """Batches that processes have decoded in the order in which they are asked for.

    Args:
        batches: The batches.
    """

    def __init__(self, batches: Iterator[Tensor]) -> None:
        self._batches = batches

    def __getitem__(self, chosen: Tensor) -> Tensor:
        """The next batch, which is that of these positions."""
        return next(self._batches)


def require_shared_memory(batch_size: int, size: int, processes: int) -> None:
    """Raises a `UserError` if batches that wait for the network would not fit where a loader's processes put them."""
    needed = (PREFETCHED * processes + 1) * batch_size * 3 * size**2
    free = shutil.disk_usage(SHARED_MEMORY).free if SHARED_MEMORY.is_dir() else needed
    if free < needed:
        raise UserError(
            f"{SHARED_MEMORY} has {free / 2**20:.0f} MiB free, but {processes} processes of the loader hand over up to "
            f"{needed / 2**20:.0f} MiB there. Take loader memory or fewer processes, or give the container more shared memory."
        )


def _as_it_is(batch: Tensor) -> Tensor:
    return batch
