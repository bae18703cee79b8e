"""Spark ML classifiers: one file, one classifier, both of the same name."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cifar_pipelines.errors import UserError, unknown_name
from cifar_pipelines.options import checked_options

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
_factories: dict[str, Factory] = {}


def register(factory: Factory) -> Factory:
    """Registers a factory under its own name.

    The factory takes a `Task` and, keyword-only and with defaults, its hyperparameters; it returns a
    Spark ML estimator with the columns `features`, `label` and `prediction`.
    """
    _factories[factory.__name__] = factory
    return factory


def names() -> list[str]:
    """All classifiers: the file's name is the classifier's, so that none has to be imported to be listed."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def require_known(name: str) -> None:
    """Raises a `UserError` with the nearest names if there is no such classifier."""
    if name not in names():
        raise unknown_name("classifier", name, names(), "A new one is one file in classifiers/.")


def find(name: str) -> Factory:
    """Imports a classifier's file.

    Raises:
        UserError: If there is no such file, or it registers no function of its name.
    """
    require_known(name)
    importlib.import_module(f"{__name__}.{name}")
    if name not in _factories:
        raise UserError(f"classifiers/{name}.py must define a function {name} with the decorator @register.")
    return _factories[name]


def check_hyperparameters(name: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Checks hyperparameters against the factory's arguments.

    Raises:
        UserError: If the classifier or a hyperparameter is unknown, or a value has the wrong type.
    """
    return checked_options(find(name), params, f"the classifier {name!r}")


def create_estimator(name: str, task: Task, params: Mapping[str, Any]) -> "Estimator":
    """Creates a classifier; needs a running Spark session.

    Raises:
        UserError: If the classifier or a hyperparameter is unknown, or a value has the wrong type.
    """
    return find(name)(task, **check_hyperparameters(name, params))
