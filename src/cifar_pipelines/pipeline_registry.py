"""The pipelines by name: every folder of `pipelines/` is one."""

from kedro.framework.project import find_pipelines
from kedro.pipeline import Pipeline

from cifar_pipelines.families import is_on_request


def register_pipelines() -> dict[str, Pipeline]:
    """Finds the pipelines; `__default__` is all that run unasked, from images to comparison."""
    found = find_pipelines(raise_errors=True)
    if "__default__" in found:
        unasked = (part for name, part in found.items() if name != "__default__" and not is_on_request(name))
        found["__default__"] = sum(unasked, start=Pipeline([]))
    return found
