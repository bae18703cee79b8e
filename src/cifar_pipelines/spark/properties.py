"""The Spark properties of a session: what a setting and `spark.yml` become."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from cifar_pipelines.spark.jvm import LIGHT_JVM, jvm_option
from cifar_pipelines.spark.setting import ParallelismSetting
from cifar_pipelines.spark.spark_config import SparkConfig

LOGGING = Path(__file__).parent / "log4j2.properties"
PYTHON_DAEMON = "cifar_pipelines.spark.python_daemon"


def spark_properties(
    setting: ParallelismSetting,
    config: SparkConfig,
    name: str,
    events: Path,
    driver: Mapping[str, str],
    jars: Sequence[str] = (),
    blas: Path | None = None,
    jvm_options: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """All properties of a session but its Master.

    What is asked for in `spark.yml` counts more than our own defaults, and less than the setting.

    Args:
        setting: The parallelism setting.
        config: Contents of `spark.yml`.
        name: Name of the application.
        events: Folder of the event log.
        driver: Properties that say where the driver is.
        jars: Further jars for driver and executors, at paths that both see.
        blas: A native BLAS library for Spark ML; None for Java's own.
        jvm_options: Further options of the JVM, by "driver" and "executor".
    """
    properties = {
        "spark.app.name": name,
        "spark.eventLog.dir": events.as_uri(),
        "spark.sql.warehouse.dir": (events.parent / "spark-warehouse").as_uri(),
        # The project's data lie on a disk, whatever file system a host's Hadoop prefers.
        "spark.hadoop.fs.defaultFS": "file:///",
        # Partitions follow the cores; Spark's own default of 200 is for clusters of hundreds of cores.
        "spark.sql.shuffle.partitions": str(setting.cores_max),
        "spark.default.parallelism": str(setting.cores_max),
        "spark.python.daemon.module": PYTHON_DAEMON,
        **{key: _as_text(value) for key, value in config.properties.items()},
        **setting.spark_conf(),
        **driver,
    }
    native = jvm_option(f"-Ddev.ludovic.netlib.blas.nativeLibPath={blas}") if blas else ""
    for side, java_options in {
        # The driver schedules and adds up: compiling its code to the last would take cores from the executors.
        "driver": f"{LIGHT_JVM} -Dlog4j2.configurationFile={LOGGING.as_uri()}",
        "executor": _collector(setting.executor_cores),
    }.items():
        key = f"spark.{side}.extraJavaOptions"
        properties[key] = " ".join(filter(None, (properties.get(key), java_options, native, jvm_options.get(side))))
        if jars:
            properties[f"spark.{side}.extraClassPath"] = os.pathsep.join(jars)
    return properties


def native_blas() -> Path | None:
    """Intel's MKL, where its wheel is installed: Spark ML can multiply with it."""
    return max(Path(sys.prefix).glob("lib/libmkl_rt.so*"), default=None)


def algebra_variables(config: SparkConfig) -> dict[str, str]:
    """Variables by which MKL computes in the driver as in executors: its share is small, and a second thread would only spin for work.

    Not their number of threads, by which torch would take one thread in the driver too.
    """
    prefix = "spark.executorEnv."
    names = (name for name in config.properties if name.startswith(f"{prefix}MKL_") and not name.endswith("_THREADS"))
    return {name.removeprefix(prefix): _as_text(config.properties[name]) for name in names}


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _collector(cores: int) -> str:
    """The garbage collector of an executor: one thread per core, and no more heap than the data need."""
    # By its defaults the heap begins with a 64th of the host's memory, which fills with garbage before any is collected.
    collector = "-XX:+UseSerialGC" if cores == 1 else f"-XX:+UseParallelGC -XX:ParallelGCThreads={cores}"
    return f"-Xms128m {collector}"
