"""The byte code of what runs import, which `make install` compiles once.

Python keeps the byte code of a module when it first imports it, but not where `PYTHONDONTWRITEBYTECODE` is set, as in
many images of containers: there every process of a run would compile some thousand modules anew, half of its start.
"""

import ast
import compileall
import contextlib
import importlib
import logging
import sys
from collections.abc import Iterable
from pathlib import Path

from cifar_pipelines.common.torch_compiler import compiler_when_used

PACKAGE = Path(__file__).parents[1]
# What processes of a run start with, and no source of the project imports.
STARTED = ("kedro.framework.cli.cli", "kedro_telemetry.plugin", "pyspark.daemon", "pyspark.worker")


def imported_by(source: str) -> set[str]:
    """The modules that a source names whole in imports, in functions too; of `from a import b` both `a` and `a.b`, since that may be one."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.update((node.module, *(f"{node.module}.{alias.name}" for alias in node.names)))
    return names


def libraries(package: Path) -> set[str]:
    """The modules that a package's sources import from elsewhere, but for private ones such as torch's compiler."""
    sources = (path.read_text(encoding="utf-8") for path in package.rglob("*.py"))
    names = set().union(*map(imported_by, sources))
    return {name for name in names if name.partition(".")[0] != package.name and "._" not in f".{name}"}


def compile_all(package: Path, started: Iterable[str] = ()) -> int:
    """Compiles a package, and imports what it imports, so that Python keeps the byte code of that, too, and of what that imports.

    Args:
        package: The folder of the package.
        started: More modules to import.

    Returns:
        The bytes of byte code of all modules that were imported.
    """
    compileall.compile_dir(package, quiet=2)
    compiler_when_used()
    sys.dont_write_bytecode = False
    for name in sorted(libraries(package).union(started)):
        # An extra that is not installed, another platform's module, or not a module but a function of one.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    cached = [getattr(module, "__cached__", None) for module in list(sys.modules.values())]
    files = [Path(file) for file in cached if isinstance(file, str)]
    return sum(file.stat().st_size for file in files if file.exists())


if __name__ == "__main__":
    logging.disable()  # what libraries remark when they are imported
    size = compile_all(PACKAGE, STARTED)
    sys.stdout.write(
        f"Byte code of what runs import is compiled: {size / 1e6:.0f} MB, for processes that start faster.\n"
    )
