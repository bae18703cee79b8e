"""Measures what a block of Spark work cost, and shows its progress while it runs."""

import itertools
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cifar_pipelines.common.polling import Polling

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

logger = logging.getLogger(__name__)

_DESCRIPTION = "spark.job.description"
_POLL_S = 0.2
_LINE_S = 10.0  # between two lines of progress in a log file
_group_numbers = itertools.count()


@dataclass
class Work:
    """What a block of Spark work cost; filled in when the block ends.

    Attributes:
        wall_s: Seconds by the clock.
        task_run_s: Seconds that tasks ran, summed over cores.
        task_cpu_s: CPU seconds of the executors' JVM threads in tasks; Python workers are not in it.
        gc_s: Seconds of garbage collection in tasks.
        shuffle_read_bytes: Bytes read from shuffles.
        shuffle_write_bytes: Bytes written to shuffles.
        jobs: Number of Spark jobs.
        stages: Number of stages that ran.
        tasks: Number of tasks that succeeded.
    """

    wall_s: float = 0.0
    task_run_s: float = 0.0
    task_cpu_s: float = 0.0
    gc_s: float = 0.0
    shuffle_read_bytes: int = 0
    shuffle_write_bytes: int = 0
    jobs: int = 0
    stages: int = 0
    tasks: int = 0

    def __add__(self, other: "Work") -> "Work":
        return Work(**{name: value + getattr(other, name) for name, value in vars(self).items()})


@contextmanager
def measured_work(session: "SparkSession", label: str, show_progress: bool = True) -> Iterator[Work]:
    """Times a block of Spark work and adds up its tasks' own counters.

    Args:
        session: The session that runs it.
        label: What is being done, for the progress bar and Spark's web page.
        show_progress: Whether to show a bar of tasks done.

    Yields:
        A `Work` that is filled in when the block ends.
    """
    context = session.sparkContext
    group = f"{label} #{next(_group_numbers)}"
    before = context.getLocalProperty(_DESCRIPTION)
    context.setJobGroup(group, label)
    work = Work()
    with _progress(session, group, label) if show_progress else nullcontext():
        started = time.perf_counter()
        try:
            yield work
        finally:
            work.wall_s = time.perf_counter() - started
            context.setLocalProperty("spark.jobGroup.id", None)
            context.setLocalProperty(_DESCRIPTION, before)
    _add_up(session, group, work)


def _add_up(session: "SparkSession", group: str, work: Work) -> None:
    jvm_context = session.sparkContext._jsc.sc()
    jvm_context.listenerBus().waitUntilEmpty()
    store = jvm_context.statusStore()
    stage_ids = set()
    job_ids = session.sparkContext.statusTracker().getJobIdsForGroup(group)
    for job_id in job_ids:
        ids = store.job(job_id).stageIds()
        stage_ids.update(ids.apply(i) for i in range(ids.size()))
    work.jobs = len(job_ids)
    for stage_id in stage_ids:
        stage = store.lastStageAttempt(stage_id)
        if not stage.numCompleteTasks():  # skipped: an earlier stage's output served
            continue
        work.stages += 1
        work.tasks += stage.numCompleteTasks()
        work.task_run_s += stage.executorRunTime() / 1e3
        work.task_cpu_s += stage.executorCpuTime() / 1e9
        work.gc_s += stage.jvmGcTime() / 1e3
        work.shuffle_read_bytes += stage.shuffleReadBytes()
        work.shuffle_write_bytes += stage.shuffleWriteBytes()


@contextmanager
def _progress(session: "SparkSession", group: str, label: str) -> Iterator[None]:
    """Shows finished tasks while the block runs: a live bar in a terminal, a line now and then in a log file."""
    from tqdm import tqdm

    tracker, terminal = session.sparkContext.statusTracker(), sys.stderr.isatty()
    since = last_line = time.monotonic()

    def look() -> None:
        nonlocal last_line
        bar.n, bar.total = _count_tasks(tracker, group)
        bar.refresh()
        if not terminal and time.monotonic() - last_line > _LINE_S:
            last_line = time.monotonic()
            logger.info("%s: %d of %d tasks after %.0f s", label, bar.n, bar.total, last_line - since)

    bar = tqdm(desc=label, unit="task", leave=False, delay=0.5, disable=not terminal, total=0)
    with bar, Polling(look, _POLL_S):
        yield


def _count_tasks(tracker: Any, group: str) -> tuple[int, int]:
    """Finished tasks of a job group, and all of them that are known so far."""
    done = total = 0
    for job_id in tracker.getJobIdsForGroup(group):
        job = tracker.getJobInfo(job_id)
        for stage_id in job.stageIds if job else ():
            stage = tracker.getStageInfo(stage_id)
            if stage and (stage.numCompletedTasks or stage.numActiveTasks or job.status == "RUNNING"):
                done += stage.numCompletedTasks
                total += stage.numTasks
    return done, total


def executor_peaks(session: "SparkSession") -> list[dict[str, Any]]:
    """Peak memory of every executor of the session, dead ones included.

    Returns:
        One dict per executor: id, host, cores, `peak_jvm_memory_mb` and `peak_python_memory_mb`
        (resident memory of the executor's process tree in MiB; None where the platform has no /proc).
    """
    jvm_context = session.sparkContext._jsc.sc()
    jvm_context.listenerBus().waitUntilEmpty()
    listed = jvm_context.statusStore().executorList(False)
    peaks = []
    for i in range(listed.size()):
        executor = listed.apply(i)
        if executor.id() == "driver":
            continue
        metrics = executor.peakMemoryMetrics()

        def peak_mb(name: str, metrics: Any = metrics) -> float | None:
            value = metrics.get().getMetricValue(name) if metrics.isDefined() else 0
            return round(value / 2**20, 1) if value > 0 else None

        peaks.append(
            {
                "id": executor.id(),
                "host": executor.hostPort().rsplit(":", 1)[0],
                "cores": executor.totalCores(),
                "peak_jvm_memory_mb": peak_mb("ProcessTreeJVMRSSMemory"),
                "peak_python_memory_mb": peak_mb("ProcessTreePythonRSSMemory"),
            }
        )
    return peaks


def driver_usage() -> dict[str, float]:
    """Peak resident memory in MiB and CPU seconds of this process and its JVM, since their start."""
    import psutil

    own = psutil.Process()
    processes = [own, *(child for child in own.children() if child.name() == "java")]
    cpu = sum(sum(process.cpu_times()[:2]) for process in processes)
    return {
        "peak_memory_mb": round(sum(_peak_memory(process) for process in processes) / 2**20, 1),
        "cpu_s": round(cpu, 2),
    }


def _peak_memory(process: Any) -> int:
    status = Path(f"/proc/{process.pid}/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return process.memory_info().rss
