"""Files and folders that are whole or not there: written under another name, then moved to their own."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PARTIAL = ".partial"  # ends the name of what is not whole


@contextmanager
def writing(target: Path) -> Iterator[Path]:
    """Gives a path to write to; what lies there gets its name when the block ends well, and is removed when it fails.

    A file that has the name already is replaced; a folder is not. Folders above it are made.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # With the id of the process, so that two that write the same file do not write into each other's.
    partial = target.with_name(f"{target.name}.{os.getpid()}{PARTIAL}")
    _remove(partial)
    try:
        yield partial
        partial.replace(target)
    finally:
        _remove(partial)


@contextmanager
def emptied(folder: Path) -> Iterator[Path]:
    """Gives a folder that is there and empty; it is removed when the block fails."""
    _remove(folder)
    folder.mkdir(parents=True)
    try:
        yield folder
    except BaseException:
        _remove(folder)
        raise


def write_bytes(target: Path, content: bytes) -> None:
    """Writes a file of bytes, whole or not at all."""
    with writing(target) as partial:
        partial.write_bytes(content)


def write_durably(target: Path, content: bytes, modified_ms: int | None = None) -> None:
    """Writes a file, whole or not at all, that is on the disk when this returns: a loss of power does not take it back.

    Until then its name begins with a dot, so that readers of the folder overlook it.

    Args:
        target: The file; its folder is there.
        content: What it holds.
        modified_ms: Its time of change, in milliseconds since 1970; None for now.
    """
    partial = target.with_name(f".{target.name}.{os.getpid()}{PARTIAL}")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            if modified_ms is not None:
                os.utime(file.fileno(), ns=(modified_ms * 1_000_000,) * 2)
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        _remove(partial)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name is the folder's
    finally:
        os.close(folder)


def write_text(target: Path, text: str) -> None:
    """Writes a file of text, whole or not at all."""
    with writing(target) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(target: Path, content: Any, **options: Any) -> None:
    """Writes a JSON file, whole or not at all; `options` are those of `json.dumps`."""
    write_text(target, json.dumps(content, **options) + "\n")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
