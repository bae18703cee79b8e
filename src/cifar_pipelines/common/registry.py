"""Things that are one file each in a package, both of the same name, such as classifiers and networks."""

import importlib
import pkgutil
import sys
from typing import Generic, TypeVar

from cifar_pipelines.common.errors import UserError, unknown_name

T = TypeVar("T")


class FileRegistry(Generic[T]):
    """Finds things by name and imports only the file that is asked for.

    Args:
        package: Name of the package that holds the files.
        kind: What a file defines, such as "classifier"; for messages.
    """

    def __init__(self, package: str, kind: str) -> None:
        self.package = package
        self.kind = kind
        self._found: dict[str, T] = {}

    def add(self, name: str, thing: T) -> None:
        """Registers what a file defines; called by the file when it is imported."""
        self._found[name] = thing

    def names(self) -> list[str]:
        """All names: that of a file is that of what it defines, so none has to be imported to be listed."""
        return sorted(module.name for module in pkgutil.iter_modules(sys.modules[self.package].__path__))

    def require_known(self, name: str) -> None:
        """Raises a `UserError` with the nearest names if there is no such file."""
        if name not in self.names():
            raise unknown_name(self.kind, name, self.names(), f"A new one is one file in {self._folder}/.")

    def find(self, name: str) -> T:
        """Imports a file.

        Returns:
            What it registered.

        Raises:
            UserError: If there is no such file, or it registers nothing under its name.
        """
        self.require_known(name)
        importlib.import_module(f"{self.package}.{name}")
        if name not in self._found:
            raise UserError(
                f"{self._folder}/{name}.py must define a function {name} with the decorator @register."
            )
        return self._found[name]

    @property
    def _folder(self) -> str:
        return self.package.rpartition(".")[2]
