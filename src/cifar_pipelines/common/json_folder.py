"""A folder of JSON files at any depth, each named by its path without the ending."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any


def json_loaders(folder: Path) -> dict[str, Callable[[], Any]]:
    """Functions that load a file, by name, in the order of the names; none where there is no folder."""
    files = (file for file in folder.rglob("*.json") if file.is_file())
    named = {file.relative_to(folder).with_suffix("").as_posix(): file for file in files}
    return {name: partial(_load, file) for name, file in sorted(named.items())}


def json_file(folder: Path, name: str) -> Path:
    """The file of a name."""
    return folder / f"{name}.json"


def _load(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))
