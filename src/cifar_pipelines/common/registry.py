"""Registries of things that are one file each in a package, such as classifiers and networks."""

import importlib
import pkgutil
import sys
from typing import Any, Generic, TypeVar

from cifar_pipelines.common.errors import UserError, unknown_name
from cifar_pipelines.common.own_code import CodeError, told

T = TypeVar("T")


class FileRegistry(Generic[T]):
    """Finds things by the names of their files, and imports only the file that is asked for.

    Args:
        package: Name of the package that holds the files.
        kind: What a file defines, such as "classifier"; for messages.
    """

    def __init__(self, package: str, kind: str) -> None:
        self.package = package
        self.kind = kind
        self._things: dict[str, T] = {}

    def register(self, thing: Any, value: T | None = None) -> Any:
        """Registers a class or function, or a value for it, under the name of its file; usable as a decorator."""
        self._things[thing.__module__.rpartition(".")[2]] = thing if value is None else value
        return thing

    def names(self) -> list[str]:
        """All names; no file is imported to list it. A file whose name begins with "_" is what others are made of."""
        names = (module.name for module in pkgutil.iter_modules(sys.modules[self.package].__path__))
        return sorted(name for name in names if not name.startswith("_"))

    def require_known(self, name: str) -> None:
        """Raises a `UserError` with the nearest names if there is no such file."""
        if name not in self.names():
            raise unknown_name(self.kind, name, self.names(), f"A new one is one file in {self._folder}/.")

    def find(self, name: str) -> T:
        """Imports a file and returns what it registered.

        Raises:
            UserError: If there is no such file, it cannot be imported, or it registers nothing.
        """
        self.require_known(name)
        try:
            importlib.import_module(f"{self.package}.{name}")
        except UserError:
            raise
        except Exception as error:  # it is code that somebody has just written
            raise CodeError(f"{self._folder}/{name}.py cannot be imported. {told(error)}") from error
        if name not in self._things:
            raise UserError(f"{self._folder}/{name}.py must define its {self.kind} with the decorator @register.")
        return self._things[name]

    @property
    def _folder(self) -> str:
        return self.package.rpartition(".")[2]
