"""Features by the content of their images, in one file that only grows: for every model, and for later runs."""

import logging
import os
import zlib
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from cifar_pipelines.common.disk import disk_errors_explained
from cifar_pipelines.common.locks import alone
from cifar_pipelines.common.words import counted

logger = logging.getLogger(__name__)

_KEY_BYTES = 32  # of a SHA-256
_AT_ONCE = 4096  # records that are read together


class FeatureCache:
    """Features that were extracted before, each by the SHA-256 of what it was made of; use it as a context manager.

    A record holds a key, its features and a checksum of both. The first record of a key counts, so that what was looked up once is the
    same for ever, bit for bit. A record that was half written when its process was killed is cut off, one whose checksum is wrong
    counts as missing.

    Args:
        file: The file, which need not be there. It belongs to one extractor with one state.
        dimension: Numbers per image.

    Raises:
        UserError: If another process has the file open, or the disk is full or closed.
    """

    def __init__(self, file: Path, dimension: int) -> None:
        self._record = np.dtype([("key", "u1", _KEY_BYTES), ("features", "<f4", dimension), ("crc32", "<u4")])
        refusal = (
            f"Another run has the stored features {file} open. Wait until it has ended, or extract features anew with --params "
            "streaming.store_features=false"
        )
        with disk_errors_explained(), ExitStack() as held:
            held.enter_context(alone(Path(f"{file}.lock"), refusal))
            self._file = held.enter_context(file.open("a+b"))
            self._places, self._end = self._read()
            self._held = held.pop_all()

    def __enter__(self) -> "FeatureCache":
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def __contains__(self, key: bytes) -> bool:
        return key in self._places

    def add(self, keys: Sequence[bytes], features: np.ndarray) -> None:
        """Keeps the features (n, dimension) of those keys (n) that are not there yet; they are on the disk when it returns."""
        new: dict[bytes, int] = {}
        for row, key in enumerate(keys):
            if key not in self._places:
                new.setdefault(key, row)
        rows = np.zeros(len(new), self._record)
        rows["key"] = np.frombuffer(b"".join(new), np.uint8).reshape(-1, _KEY_BYTES)
        rows["features"] = features[list(new.values())]
        rows["crc32"] = _checksums(rows)
        with disk_errors_explained():
            self._file.write(rows.tobytes())
            self._file.flush()
            os.fsync(self._file.fileno())
        self._places |= {key: self._end + number for number, key in enumerate(new)}
        self._end += len(new)

    def look_up(self, keys: Sequence[bytes]) -> np.ndarray:
        """The features of keys that are all there, float32 (n, dimension)."""
        size, number = self._record.itemsize, self._file.fileno()
        read = b"".join(os.pread(number, size, self._places[key] * size) for key in keys)
        return np.frombuffer(read, self._record)["features"].copy()

    def _read(self) -> tuple[dict[bytes, int], int]:
        """The number of the record of every key, and how many records there are."""
        size, places, damaged = self._record.itemsize, {}, 0
        end = self._file.seek(0, os.SEEK_END) // size
        self._file.truncate(end * size)
        self._file.seek(0)
        for start in range(0, end, _AT_ONCE):
            rows = np.frombuffer(self._file.read(_AT_ONCE * size), self._record)
            whole = _checksums(rows) == rows["crc32"]
            damaged += int((~whole).sum())
            for row in np.flatnonzero(whole):
                places.setdefault(rows["key"][row].tobytes(), start + int(row))
        if damaged:
            logger.warning("%s in %s is damaged: extracted again.", counted(damaged, "stored image"), self._file.name)
        return places, end


def _checksums(rows: np.ndarray) -> np.ndarray:
    """CRC-32 of key and features of every record."""
    return np.array([zlib.crc32(row["features"], zlib.crc32(row["key"])) for row in rows], np.uint32)
