"""Where results lie, as the catalog says it."""

from functools import cache
from pathlib import Path
from typing import Any

from cifar_pipelines.common.configuration import conf_source, load_configuration, unreadable_explained


def place(name: str, env: str | None = None) -> Path:
    """The path of an entry of the catalog, relative to the folder of the project."""
    entry = _catalog(conf_source(), env)[name]
    return Path(entry.get("filepath") or entry["path"])


@cache
def _catalog(source: Path, env: str | None) -> dict[str, Any]:
    """The catalog of an environment; reading it takes a moment, so it is read once, and only when asked for."""
    with unreadable_explained(source):
        return load_configuration(env, source=source)["catalog"]
