"""The sections on the time and the resources of every model under every setting."""

import pandas as pd

from cifar_pipelines.report.document.blocks import Section
from cifar_pipelines.report.sections.cells import (
    Columns,
    behind,
    marked,
    number,
    scaled,
    seconds,
    table_of,
    text,
)


def times(rows: pd.DataFrame) -> Section:
    """Times, speed-up and efficiency of the rows of one study."""
    return Section("times", "Time by model and setting", (table_of(rows, TIMES),))


def resources(rows: pd.DataFrame) -> Section:
    """Core-seconds, utilisation and memory of the rows of one study."""
    return Section("resources", "Resources by model and setting", (table_of(rows, RESOURCES),))


TIMES: Columns = {
    "model": text("label"),
    "setting": text("setting"),
    "cores": text("cores"),
    "executors": text("executors"),
    "time [s]": seconds,
    "deviation [s]": number("time_deviation_s", ".2g"),
    "timings": text("timings"),
    "speed-up": number("speedup", ".2f"),
    "efficiency": number("efficiency", ".0%"),
    "features [s]": number("extract_s", ".3g"),
    "predict [s]": number("predict_s", ".3g"),
    "start-up [s]": number("start_up_s", ".3g"),
    "marks": marked,
    "records": behind,
}
RESOURCES: Columns = {
    "model": text("label"),
    "setting": text("setting"),
    "core-seconds reserved": number("core_seconds", ".1f"),
    "CPU-seconds used": lambda row: scaled(row["utilisation"] * row["core_seconds"], 1, ".1f"),
    "utilisation": number("utilisation", ".0%"),
    "accuracy points per core-minute": lambda row: scaled(row["accuracy_per_core_minute"], 100),
    "garbage collection [s]": number("gc_s", ".2f"),
    "executor JVM [MB]": number("executor_jvm_memory_mb", ".0f"),
    "executor Python [MB]": number("executor_python_memory_mb", ".0f"),
    "driver [MB]": number("driver_memory_mb", ".0f"),
    "records": behind,
}
