"""The sections on the time and the resources of every model under every setting."""

import pandas as pd

from cifar_pipelines.records.speedup import under_several_settings
from cifar_pipelines.report.document.blocks import Section
from cifar_pipelines.report.sections.cells import Columns, behind, marked, scaled, seconds, table_of


def times(rows: pd.DataFrame) -> Section:
    """Times of the rows of one study; speed-up and efficiency too of models with several settings."""
    columns, several = TIMES, under_several_settings(rows).index
    if several.empty:
        columns = {name: cell for name, cell in TIMES.items() if name not in ("speed-up", "efficiency")}
    of_several = rows.index.isin(several)
    rows = rows.assign(speedup=rows["speedup"].where(of_several), efficiency=rows["efficiency"].where(of_several))
    return Section("times", "Time by model and setting", (table_of(rows, columns),))


def resources(rows: pd.DataFrame) -> Section:
    """Core-seconds, utilisation and memory of the rows of one study."""
    return Section("resources", "Resources by model and setting", (table_of(rows, RESOURCES),))


TIMES: Columns = {
    "model": "label",
    "setting": "setting",
    "cores": "cores",
    "executors": "executors",
    "time [s]": seconds,
    "deviation [s]": "time_deviation_s:seconds",
    "timings": "timings",
    "speed-up": "speedup:.2f",
    "efficiency": "efficiency:.0%",
    "features [s]": "extract_s:seconds",
    "predict [s]": "predict_s:seconds",
    "start-up [s]": "start_up_s:seconds",
    "marks": marked,
    "records": behind,
}
RESOURCES: Columns = {
    "model": "label",
    "setting": "setting",
    "core-seconds reserved": "core_seconds:.1f",
    "CPU-seconds used": lambda row: scaled(row["utilisation"] * row["core_seconds"], 1, ".1f"),
    "utilisation": "utilisation:.0%",
    "accuracy points per core-minute": lambda row: scaled(row["accuracy_per_core_minute"], 100),
    "garbage collection [s]": "gc_s:seconds",
    "executor JVM [MB]": "executor_jvm_memory_mb:.0f",
    "executor Python [MB]": "executor_python_memory_mb:.0f",
    "driver [MB]": "driver_memory_mb:.0f",
    "records": behind,
}
