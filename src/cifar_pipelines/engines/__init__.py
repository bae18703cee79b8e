"""Engines start the workers of a training on the executors: one file or folder, one engine.

An engine starts one worker per executor, with the executor's cores as threads, and returns when the last
epoch is done; what came of it lies in the job's checkpoint.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING

from cifar_pipelines.common.registry import FileRegistry

if TYPE_CHECKING:
    from cifar_pipelines.training.job import Job


class Engine(ABC):
    """A way to train a job; all engines train it to the same outputs."""

    @abstractmethod
    def check(self) -> None:
        """Raises a `UserError` if a library is missing, before any process starts."""

    @abstractmethod
    def describe(self) -> str:
        """Name and version, as the run record states them."""

    @abstractmethod
    def train(self, job: "Job", workers: int, threads: int) -> None:
        """Trains on the run's own Spark session until the last epoch of the job's recipe is done.

        Args:
            job: The training.
            workers: Number of executors, each of which gets one worker.
            threads: Cores of one executor.
        """


_registry = FileRegistry[type[Engine]](__name__, "engine")
register, engine_names = _registry.register, _registry.names


def create_engine(name: str) -> Engine:
    """Creates an engine by name; raises a `UserError` if it is unknown."""
    return _registry.find(name)()


def model_name(name: str, engine: str) -> str:
    """What records and paths call the model that an engine trains by a block of parameters."""
    return f"{name}_{engine}"


def block_and_engine(model: str, blocks: Iterable[str]) -> tuple[str, str]:
    """Block of parameters and engine of a model; compared whole, because one name may begin with another."""
    return next((name, engine) for name in blocks for engine in engine_names() if model_name(name, engine) == model)
