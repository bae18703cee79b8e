"""The JVMs of a run: their options, where their files go, and the start of the driver's."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Spark's own configuration of its log, by name: BigDL's jars bring one that is found first and writes to /tmp.
SPARKS_LOGGING = "-Dlog4j2.configurationFile=org/apache/spark/log4j2-defaults.properties"
# A JVM that lives for one run, or less: optimising its code would take longer than it saves, and takes cores from executors.
LIGHT_JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
NO_COUNTERS = "-XX:-UsePerfData"  # which every JVM would keep in a folder of its own in /tmp
END_S = 30.0  # that the driver's JVM may take to end


def jvm_option(text: str) -> str:
    """An option as Spark splits options: in quotes where it holds a space."""
    return f'"{text}"' if any(map(str.isspace, text)) else text


def temporary_files(folder: Path) -> str:
    """The options by which a JVM, and the libraries in it, put what is temporary into a folder and nowhere else."""
    return f"{jvm_option(f'-Djava.io.tmpdir={folder}')} {NO_COUNTERS}"


def launch_driver(properties: Mapping[str, str], log: Path) -> None:
    """Starts the driver's JVM as PySpark would, with all that it prints in a log; a session finds it there."""
    from pyspark import SparkConf, SparkContext
    from pyspark.java_gateway import launch_gateway

    if SparkContext._gateway is not None:
        return
    with log.open("wb") as target:
        gateway = launch_gateway(SparkConf().setAll(list(properties.items())), {"stdout": target, "stderr": target})
    SparkContext._ensure_initialized(gateway=gateway)


def end_driver(session: "SparkSession") -> None:
    """Ends a session with its JVM, which PySpark would keep for the next one of the process."""
    from pyspark import SparkContext

    gateway = session.sparkContext._gateway
    session.stop()
    gateway.shutdown()
    if (process := getattr(gateway, "proc", None)) is not None:
        process.stdin.close()
        try:
            process.wait(timeout=END_S)
        except subprocess.TimeoutExpired:  # on a host that others leave no time; what the run says has been said
            process.kill()
            process.wait()
    SparkContext._gateway = None
    SparkContext._jvm = None
