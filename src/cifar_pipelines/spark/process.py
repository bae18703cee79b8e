"""What a session sets in its process: its own Spark instead of another one, and a folder for what is temporary."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.utf8 import VARIABLE, is_utf8
from cifar_pipelines.spark.java import find_java_home

SPARK_SERIES = "3.5"  # BigDL's jars load in no other
LEAST_FREE_MB = 100
# They name another Spark, or belong to one that runs around this process.
_FOREIGN = re.compile(
    "SPARK_(HOME|REMOTE|CONNECT_.*|ENV_LOADED|TESTING|SQL_TESTING|PREPEND_CLASSES|SCALA_VERSION)|PYSPARK_(SUBMIT_ARGS|GATEWAY_.*)"
)
# They say how a host uses its clusters; the embedded one is none of them.
_OF_A_CLUSTER = re.compile("(SPARK|PYSPARK|HADOOP|YARN)_.*")


def require_spark() -> Path:
    """Makes sure that Spark can start here, before anything does.

    Returns:
        The folder of the Java runtime.

    Raises:
        UserError: If PySpark is another one than the project's, or there is no Java.
    """
    require_own_pyspark()
    return find_java_home()


def require_own_pyspark() -> None:
    """Raises a `UserError` if a PySpark of another series is found first; imports none."""
    found = find_spec("pyspark")
    if found is None or found.origin is None:
        return
    version = Path(found.origin).with_name("version.py")
    text = version.read_text(encoding="utf-8") if version.exists() else ""
    match = re.search(r"__version__\b.*?[\"'](\S+)[\"']", text)
    if match and not match[1].startswith(f"{SPARK_SERIES}."):
        raise UserError(
            f"PySpark {match[1]} is found first, in {version.parent}, but the project needs {SPARK_SERIES}. Something "
            "like PYTHONPATH names it: unset that, or start with `env -u PYTHONPATH kedro ...`."
        )


def spark_home() -> Path:
    """The folder of PySpark's own Spark."""
    import pyspark

    return Path(pyspark.__file__).parent


def foreign_variables(embedded: bool) -> dict[str, None]:
    """The variables of this process that would lead a session to another Spark, each to be unset."""
    kind = _OF_A_CLUSTER if embedded else _FOREIGN
    return {name: None for name in sorted(os.environ) if kind.fullmatch(name)}


def text_variables() -> dict[str, str]:
    """The variables by which JVMs and Python workers take text and names of files for UTF-8, whatever the host says."""
    return {VARIABLE: "1"} | ({} if is_utf8() else {"LC_ALL": "C.UTF-8"})


def loopback_card() -> dict[str, str]:
    """The variable by which workers of a training on one host meet on loopback; none where it has no name."""
    import psutil

    names = [name for name, held in psutil.net_if_addrs().items() if any(one.address == "127.0.0.1" for one in held)]
    return {"GLOO_SOCKET_IFNAME": names[0]} if names else {}


@contextmanager
def environment(variables: Mapping[str, str | None]) -> Iterator[None]:
    """Sets environment variables while the block runs, or unsets those whose value is None."""
    before = {name: os.environ.get(name) for name in variables}
    _set(variables)
    try:
        yield
    finally:
        _set(before)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@contextmanager
def temporary_folder(folder: Path) -> Iterator[Path]:
    """Makes a folder for all that is temporary, of this process too, and removes it when the block ends.

    Raises:
        UserError: If hardly any space is left for it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free / 2**20
    if free < LEAST_FREE_MB:
        raise UserError(
            f"{folder.parent} has {free:.1f} MB left, but a run with Spark needs {LEAST_FREE_MB} MB at least. Free some "
            "space, or name a folder on another disk as log_dir in conf/base/spark.yml."
        )
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        with environment({"TMPDIR": str(folder), "SPARK_LOCAL_DIRS": str(folder)}):
            yield folder
    finally:
        tempfile.tempdir = before
        shutil.rmtree(folder, ignore_errors=True)
