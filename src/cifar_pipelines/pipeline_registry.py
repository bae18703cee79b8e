"""The pipelines by name: every folder of `pipelines/` is one."""

from kedro.framework.project import find_pipelines
from kedro.pipeline import Pipeline


def register_pipelines() -> dict[str, Pipeline]:
    """Finds the pipelines; `__default__` is all of them, from images to comparison."""
    found = find_pipelines(raise_errors=True)
    if "__default__" in found:
        found["__default__"] = sum((part for name, part in found.items() if name != "__default__"), start=Pipeline([]))
    return found
