"""Spark ML classifiers: one file, one classifier, both of the same name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cifar_pipelines.common.options import checked_options
from cifar_pipelines.common.registry import FileRegistry

if TYPE_CHECKING:
    from pyspark.ml import Estimator


@dataclass(frozen=True)
class Task:
    """What a classifier has to learn.

    Attributes:
        features: Length of a feature vector.
        classes: Number of classes.
        seed: Seed of whatever the classifier draws.
        cores: Cores of all executors, for classifiers that train several models at once.
    """

    features: int
    classes: int
    seed: int
    cores: int


Factory = Callable[..., "Estimator"]
_registry = FileRegistry[Factory](__name__, "classifier")
names, require_known, find = _registry.names, _registry.require_known, _registry.find
# A decorator for a function that takes a `Task` and, keyword-only and with defaults, its hyperparameters, and returns a
# Spark ML estimator with the columns `features`, `label` and `prediction`.
register = _registry.register


def check_hyperparameters(name: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Checks hyperparameters against the factory's arguments, as `checked_options` does."""
    return checked_options(find(name), params, f"the classifier {name!r}")


def create_estimator(name: str, task: Task, params: Mapping[str, Any]) -> "Estimator":
    """Creates a classifier once its hyperparameters are checked; needs a running Spark session."""
    return find(name)(task, **check_hyperparameters(name, params))
