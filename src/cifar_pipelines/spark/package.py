"""The project's own package on the executors of a cluster where nobody installed it."""

import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark import SparkContext


def ship_package(context: "SparkContext") -> None:
    """Sends the package to every executor, ahead of a copy that may be installed there."""
    package = Path(__file__).resolve().parents[1]
    archive = Path(tempfile.mkdtemp()) / "cifar_pipelines.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for file in sorted(package.rglob("*.py")):
            target.write(file, file.relative_to(package.parent))
    context.addPyFile(str(archive))
    # The daemon that forks Python workers, and processes that one of these starts, such as torchrun, look in the executor's folder too.
    context.environment["PYTHONPATH"] = archive.name
