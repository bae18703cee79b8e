"""Resolvers: functions that the configuration may call, most of them to build paths."""

import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cifar_pipelines.common.paths import plain_path

PROJECT_PATH = Path(__file__).resolve().parents[3]  # paths of the configuration are relative to it


def given(name: str) -> Any:
    """The value of a name of `globals.yml`, or what the command line gives instead."""
    return _interpolation(name)["value"]


@cache
def _interpolation(name: str) -> Any:
    """What is evaluated anew whenever it is read; the catalog reads it hundreds of times."""
    from omegaconf import OmegaConf

    return OmegaConf.create({"value": f"${{runtime_params:{name},${{globals:{name}}}}}"})


def slug(text: object) -> str:
    """Turns a name such as "torchvision:mobilenet_v2" into a file name."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", str(text))


def path_suffix(path: object) -> str:
    """Gives every file or folder a suffix of its own, "-1a2b3c4d"; nothing for no path."""
    if path in (None, "", "None", "null"):
        return ""
    return "-" + hashlib.sha256(str((PROJECT_PATH / plain_path(str(path))).resolve()).encode()).hexdigest()[:8]


def size_suffix(pixels: object) -> str:
    """Names an input size, "-160px"; nothing for the extractor's default."""
    return "" if pixels in (None, "", "None", "null") else f"-{pixels}px"


def options_suffix(options: Mapping[str, Any] | None) -> str:
    """Gives other options a suffix of their own, "-1a2b3c4d"; nothing for none."""
    if not options:
        return ""
    text = json.dumps(dict(sorted(options.items())), default=str)
    return "-" + hashlib.sha256(text.encode()).hexdigest()[:8]


RESOLVERS = {resolver.__name__: resolver for resolver in (given, slug, path_suffix, size_suffix, options_suffix)}
