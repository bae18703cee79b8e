"""Engines: who brings a training to the executors. Both train the same job to the same outputs.

An engine starts one worker per executor, with the executor's cores as threads, and returns when the last
epoch is done; what came of it lies in the job's checkpoint.
"""

import importlib
from typing import TYPE_CHECKING, Protocol

from cifar_pipelines.common.errors import unknown_name

if TYPE_CHECKING:
    from cifar_pipelines.training.job import TrainingJob

_CLASSES = {"bigdl": "BigDLEngine", "torch_distributor": "TorchDistributorEngine"}


class Engine(Protocol):
    """How a training reaches the executors."""

    def check(self) -> None:
        """Raises a `UserError` if a library is missing, before any process starts."""

    def describe(self) -> str:
        """Name and version, as the run record states them."""

    def train(self, job: "TrainingJob", workers: int, threads: int) -> None:
        """Trains on the run's own Spark session until the last epoch of the job's recipe is done.

        Args:
            job: The training.
            workers: Number of executors, each of which gets one worker.
            threads: Cores of one executor.
        """


def engine_names() -> list[str]:
    """The engines' names."""
    return sorted(_CLASSES)


def create_engine(name: str) -> Engine:
    """Creates an engine.

    Raises:
        UserError: If the name is unknown.
    """
    if name not in _CLASSES:
        raise unknown_name("engine", name, _CLASSES)
    return getattr(importlib.import_module(f"{__name__}.{name}"), _CLASSES[name])()
