"""What a task costs that computes nothing in a Python worker: beside workers that Spark's own daemon forks."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from statistics import median
from typing import Any

from benchmarks.result import Bar, Result
from benchmarks.workload import SETTING, Step
from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.spark.properties import PYTHON_DAEMON
from cifar_pipelines.spark.session import SparkRuntime
from cifar_pipelines.spark.setting import ParallelismSetting, setting_of
from cifar_pipelines.spark.spark_config import SparkConfig

NAME = "python_tasks"
BAR = Bar(2, at_least=True)
TASKS = 100
JOBS = 3


def measure(repeats: int, step: Step) -> Result:
    """Runs the tasks in an application of each daemon, in turn.

    Args:
        repeats: Applications of each.
        step: Called with a sentence at every step.
    """
    loader = load_configuration(SETTING)
    setting = setting_of(loader)
    config = SparkConfig.from_config(loader["spark"])
    ours, reference = [], []
    for repeat in range(repeats):
        step(f"Running {TASKS} tasks in Python workers of each daemon, round {repeat + 1} of {repeats}.")
        for found, daemon in ((reference, "pyspark.daemon"), (ours, PYTHON_DAEMON)):
            found.append(_tasks_per_s(setting, config, daemon))
    own, spark = (setting.cores_max * 1000 / median(found) for found in (ours, reference))
    notes = [f"A task takes a core for {own:.0f} ms, and for {spark:.0f} ms by Spark's own daemon."]
    return Result(NAME, "tasks/s", ours, reference, bar=BAR, notes=notes)


def _tasks_per_s(setting: ParallelismSetting, config: SparkConfig, daemon: str) -> float:
    """Tasks per second, by the median of some jobs of one application."""

    def same(batches: Iterator[Any]) -> Iterator[Any]:
        yield from batches

    with tempfile.TemporaryDirectory() as folder:
        properties = {**config.properties, "spark.python.daemon.module": daemon}
        with SparkRuntime(setting, replace(config, log_dir=folder, properties=properties), NAME) as runtime:
            table = runtime.session.range(0, TASKS, 1, TASKS).mapInArrow(same, "id long")
            seconds = [_seconds(table) for _ in range(1 + JOBS)]
    return TASKS / median(seconds[1:])  # in the first job workers import


def _seconds(table: Any) -> float:
    started = time.perf_counter()
    table.collect()
    return time.perf_counter() - started
