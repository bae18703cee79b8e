"""How long it takes to read the event log of an application with 10,000 tasks and to say where its time went."""

import tempfile
import time
from dataclasses import replace

from benchmarks.result import Bar, Result
from benchmarks.workload import SETTING, Step
from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.event_log.application import application_record
from cifar_pipelines.event_log.reader import find_event_log
from cifar_pipelines.spark.session import SparkRuntime
from cifar_pipelines.spark.setting import setting_of
from cifar_pipelines.spark.spark_config import SparkConfig

NAME = "event_log"
BAR = Bar(5, at_least=False)
TASKS = 10_000


def measure(repeats: int, step: Step) -> Result:
    """Lets Spark run that many tasks, then reads the log it left.

    Args:
        repeats: How often to read the log.
        step: Called with a sentence at every step.
    """
    loader = load_configuration(SETTING)
    setting = setting_of(loader)
    with tempfile.TemporaryDirectory() as folder:
        config = replace(SparkConfig.from_config(loader["spark"]), log_dir=folder)
        runtime = SparkRuntime(setting, config, NAME)
        try:
            application = runtime.start(step).application_id
            step(f"Running {TASKS:,} tasks.")
            # Through SQL, because its tasks report more counters, so that their lines are the longest.
            numbers = runtime.session.range(0, TASKS, 1, TASKS)
            numbers.write.format("noop").mode("overwrite").save()
        finally:
            runtime.stop()
        log = find_event_log(runtime.log_dir / "event_log", application)
        seconds = []
        for repeat in range(repeats):
            step(f"Reading the log, round {repeat + 1} of {repeats}.")
            started = time.perf_counter()
            record = application_record(log, NAME, setting.name, {})
            seconds.append(time.perf_counter() - started)
        size = sum(file.stat().st_size for file in ([log] if log.is_file() else log.iterdir()))
    tasks = record["application"]["tasks"]
    note = f"{tasks:,} tasks in {size / 2**20:.0f} MiB."
    return Result(NAME, "s", seconds, bar=BAR, notes=[note], holds=tasks >= TASKS)
