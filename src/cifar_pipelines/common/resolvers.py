"""Resolvers: functions that the configuration may call, most of them to build paths."""

import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from cifar_pipelines.common.paths import PROJECT_PATH, SHA256, plain_path


def given(name: str) -> Any:
    """The value of a name of `globals.yml`, or what the command line gives instead; of a block, name by name."""
    read = _interpolation(name)
    value = read["value"]
    return {**read["own"], **value} if isinstance(value, Mapping) else value


@cache
def _interpolation(name: str) -> Any:
    """What is evaluated anew whenever it is read; the catalog reads it hundreds of times."""
    from omegaconf import OmegaConf

    own = f"${{globals:{name}}}"
    return OmegaConf.create({"value": f"${{runtime_params:{name},{own}}}", "own": own})


def slug(text: object) -> str:
    """Turns a name such as "torchvision:mobilenet_v2" into a file name."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", str(text))


def path_suffix(path: object) -> str:
    """Gives every file or folder a suffix of its own, "-1a2b3c4d"; nothing for no path."""
    if path in (None, "", "None", "null"):
        return ""
    return "-" + hashlib.sha256(str((PROJECT_PATH / plain_path(str(path))).resolve()).encode()).hexdigest()[:8]


def weights_suffix(weights: object) -> str:
    """Names weights other than the extractor's own, "-none"; a file as `path_suffix` does, whatever its checksum."""
    if weights in (None, "", "None", "null"):
        return ""
    kind, _, rest = str(weights).partition(":")
    return path_suffix(rest.partition(SHA256)[0]) if kind == "path" else f"-{slug(weights)}"


def size_suffix(pixels: object) -> str:
    """Names an input size, "-160px"; nothing for the extractor's default."""
    return "" if pixels in (None, "", "None", "null") else f"-{pixels}px"


def options_suffix(options: Mapping[str, Any] | None) -> str:
    """Gives other options a suffix of their own, "-1a2b3c4d"; nothing for none."""
    if not options:
        return ""
    text = json.dumps(dict(sorted(options.items())), default=str)
    return "-" + hashlib.sha256(text.encode()).hexdigest()[:8]


def validation_suffix(validation: Mapping[str, Any]) -> str:
    """Names how validation images are cut, "-validation0.15" or "-validation0.15-by-group-1a2b3c4d"; nothing where none are."""
    share, by = validation["share"], validation["by"]
    groups = {name: validation[name] for name in ("group", "table", "column")}
    return f"-validation{share}{'' if by == 'stratum' else f'-by-{by}{options_suffix(groups)}'}" if share else ""


def setting_name(parallelism: Mapping[str, Any]) -> str:
    """The name of a parallelism setting, "exec_2x1"; with its memory where that tells it apart, "exec_2x1_3g"."""
    name = f"exec_{parallelism['cores_max']}x{parallelism['executor_cores']}"
    return f"{name}_{parallelism['executor_memory']}" if parallelism.get("named_after_memory") else name


RESOLVERS = {
    resolver.__name__: resolver
    for resolver in (
        *(given, slug, path_suffix, weights_suffix, size_suffix, options_suffix, validation_suffix, setting_name),
    )
}
