"""torch's compiler, imported when something is compiled.

Optimisers, DistributedDataParallel and torchvision ask `torch._dynamo` whether they are being compiled. For that it imports the whole
compiler and sympy, in every process that trains: on a core of 2017 7 seconds, three times as long as torch itself takes. Until
something else of it is wanted, stand-ins give the answers that hold where nothing is compiled.
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

COMPILER = "torch._dynamo"


def compiler_when_used() -> None:
    """Puts the import of torch's compiler off, in this process, until something is compiled."""
    if COMPILER not in sys.modules:
        sys.meta_path.insert(0, _Finder())


def _uncompiled(function: Callable | None = None, *arguments: Any, **options: Any) -> Callable:
    """What `torch._dynamo.disable` gives: a function that is never compiled, as none is here; or a decorator."""
    return partial(_uncompiled, *arguments, **options) if function is None else function


def _nothing() -> None:
    """Does nothing: no graph is being recorded, no rule of tracing remembered."""


# What is asked for where nothing is compiled. Whatever else is wanted of these modules, they themselves are imported.
_ANSWERS: dict[str, dict[str, Callable]] = {
    COMPILER: {"disable": _uncompiled, "graph_break": _nothing},
    f"{COMPILER}.utils": {
        "get_optimize_ddp_mode": lambda: "ddp_optimizer",  # torch's own default
        "is_compile_supported": lambda device: _compiler().utils.is_compile_supported(device),
    },
    f"{COMPILER}.trace_rules": {"clear_lru_cache": _nothing},
}


class _StandIn(ModuleType):
    """A module that answers what it can, and makes room for the one whose name it has when asked for more."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what Python asks of any module
            raise AttributeError(name)
        _compiler()
        return getattr(importlib.import_module(self.__name__), name)


class _Finder(MetaPathFinder, Loader):
    """Finds the stand-ins; behind any other name within the compiler it finds what is there."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name in _ANSWERS:
            return ModuleSpec(name, self, is_package=name == COMPILER)
        if not name.startswith(f"{COMPILER}."):
            return None
        _compiler()
        loader = _Imported(importlib.import_module(name))
        del sys.modules[name]  # or Python would follow the module's own specification, and run its code again
        return importlib.util.spec_from_loader(name, loader)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _StandIn(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__.update(_ANSWERS[module.__name__])
        if module.__name__ == COMPILER:
            for name in _ANSWERS:
                importlib.import_module(name)


class _Imported(Loader):
    """Loads a module that was imported while it was looked for."""

    def __init__(self, module: ModuleType) -> None:
        self._module, self._spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec


def _compiler() -> ModuleType:
    """The compiler itself, in the place of its stand-ins."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]
    for name in _ANSWERS:
        if isinstance(sys.modules.get(name), _StandIn):
            del sys.modules[name]
    # Where torch's own modules look for the one that is being imported.
    of_torch = vars(sys.modules["torch"])
    if isinstance(of_torch.get("_dynamo"), _StandIn):
        del of_torch["_dynamo"]
    return importlib.import_module(COMPILER)
