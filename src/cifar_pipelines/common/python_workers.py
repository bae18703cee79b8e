"""What Spark's Python workers would do again before and after each of their tasks, done once per process.

Before every task Spark has Python look anew at all that is on its path, and of an archive that is, for each package in it, to read
all its names again: PySpark's own archive took a quarter of a second. After every task it collects garbage, for which Python looks
at every object that torch and others made when they were imported: a tenth of a second.
"""

import gc
import os
import sys
import zipimport
from typing import Any

IN_WORKER = "PYTHON_WORKER_FACTORY_SECRET"  # in the environment of these workers


def settle_worker() -> None:
    """Lets a Python worker of Spark do both once; in other processes nothing changes."""
    if IN_WORKER in os.environ:
        # An archive that is sent later has a path of its own, so that nothing new is missed.
        zipimport.zipimporter.invalidate_caches = _nothing
        gc.callbacks.append(_KeepImported())


def _nothing(_: zipimport.zipimporter) -> None:
    """Does nothing: the archive has not changed."""


class _KeepImported:
    """Takes what is there after a collection out of later ones, where modules were imported since the last time."""

    def __init__(self) -> None:
        self._modules = 0

    def __call__(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "stop" and info["generation"] == 2 and len(sys.modules) > self._modules:
            gc.freeze()
            self._modules = len(sys.modules)
