"""Times Spark work: what it cost, how busy the host was meanwhile, and its progress while it runs."""

import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cifar_pipelines.common.polling import Polling
from cifar_pipelines.common.words import counted
from cifar_pipelines.spark.host import HostMeter
from cifar_pipelines.spark.session import describe_executor, list_executors

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

logger = logging.getLogger(__name__)

_GROUP, _DESCRIPTION = "spark.jobGroup.id", "spark.job.description"
_POLL_S = 0.2
_COUNTS = ("shuffle_read_bytes", "shuffle_write_bytes", "jobs", "stages", "tasks")
_LINE_S = 10.0  # between two lines of progress in a log file: after every six of them so much longer, up to a minute


@dataclass
class Work:
    """What a block of Spark work cost; filled in when the block ends.

    Attributes:
        wall_s: Seconds by the clock.
        task_run_s: Seconds that tasks ran, summed over cores.
        task_cpu_s: CPU seconds of the executors' JVM threads in tasks; Python workers are not in it.
        gc_s: Seconds of garbage collection in tasks.
        stages: Number of stages that ran.
        tasks: Number of tasks that succeeded.
        group: Id of its Spark job group, known from the start; that of the outer block where it is within one; empty for a sum.
        counted: The newest job of the group that is counted already, or was there before; -1 for none.
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
    group: str = ""
    counted: int = -1

    def __add__(self, other: "Work") -> "Work":
        numbers = {name: value for name, value in vars(self).items() if name not in ("group", "counted")}
        return Work(**{name: value + getattr(other, name) for name, value in numbers.items()})


@contextmanager
def measured_work(session: "SparkSession", label: str, show_progress: bool = True) -> Iterator[Work]:
    """Times a block of Spark work and adds up its tasks' own counters.

    A block within another one belongs to the job group of the outer one, whose time and counters hold its own.

    Args:
        session: The session that runs it.
        label: What is being done, in words for people: the display, Spark's web page and the event log show them.
        show_progress: Whether to show how many tasks are done.

    Yields:
        A `Work` that is filled in when the block ends.
    """
    context = session.sparkContext
    outer, before = context.getLocalProperty(_GROUP), context.getLocalProperty(_DESCRIPTION)
    work = Work(group=outer or uuid.uuid4().hex)
    if outer:
        context._jsc.sc().listenerBus().waitUntilEmpty()
        work.counted = max(context.statusTracker().getJobIdsForGroup(outer), default=-1)
    context.setJobGroup(work.group, label)
    with _progress(session, work.group, label) if show_progress else nullcontext():
        started = time.perf_counter()
        try:
            yield work
        finally:
            work.wall_s = time.perf_counter() - started
            context.setLocalProperty(_GROUP, outer)
            context.setLocalProperty(_DESCRIPTION, before)
    session.sparkContext._jsc.sc().listenerBus().waitUntilEmpty()
    count_jobs(session, work)


class Timing:
    """Repeats of the same Spark work, each timed alone as `measured_work` does, and how busy the host was meanwhile."""

    def __init__(self, session: "SparkSession", label: str, show_progress: bool) -> None:
        self._session = session
        self._label = label
        self._show_progress = show_progress
        self._works: list[Work] = []
        self.host_load: dict[str, float | None] = {}  # filled in at the end; see `HostMeter.stop`

    @contextmanager
    def repeat(self) -> Iterator[Work]:
        """Times the work once; nothing but the work belongs into the block."""
        with measured_work(self._session, self._label, self._show_progress) as work:
            yield work
        self._works.append(work)

    @property
    def seconds(self) -> tuple[float, ...]:
        """Seconds of every repeat, to the millisecond."""
        return tuple(round(work.wall_s, 3) for work in self._works)

    @property
    def groups(self) -> tuple[str, ...]:
        """Id of the job group of every repeat."""
        return tuple(work.group for work in self._works)

    def resources(self, python_cpu_s: float | None = None) -> dict[str, Any]:
        """Counters of the tasks of all repeats.

        Args:
            python_cpu_s: CPU seconds of the Python workers that computed in them, which Spark does not count; None where
                none did.

        Returns:
            The keys of `resources` in a run record, without driver and executors.
        """
        total = sum(self._works, Work())
        python = {} if python_cpu_s is None else {"python_cpu_s": round(python_cpu_s, 3)}
        return {
            "task_cpu_s": round(total.task_cpu_s + (python_cpu_s or 0.0), 3),
            **python,
            "task_run_s": round(total.task_run_s, 3),
            "gc_s": round(total.gc_s, 3),
            **{name: getattr(total, name) for name in _COUNTS},
        }


@contextmanager
def timed(session: "SparkSession", label: str, show_progress: bool = True) -> Iterator[Timing]:
    """Watches the host while work is timed; the arguments are those of `measured_work`.

    Yields:
        A `Timing`, whose `repeat` times the work; the host's load is there when the block has ended.
    """
    timing, meter = Timing(session, label, show_progress), HostMeter()
    try:
        yield timing
    finally:
        timing.host_load = meter.stop()


def count_jobs(session: "SparkSession", work: Work) -> None:
    """Adds the counters of the jobs of a group that have ended since it was last called.

    Spark forgets the oldest of many thousand jobs: work without an end is counted on its way.
    """
    store, stage_ids = session.sparkContext._jsc.sc().statusStore(), set()
    for job_id in sorted(session.sparkContext.statusTracker().getJobIdsForGroup(work.group)):
        if job_id <= work.counted:
            continue
        job = store.job(job_id)
        if job.status().toString() == "RUNNING":
            break
        ids = job.stageIds()
        stage_ids.update(ids.apply(i) for i in range(ids.size()))
        work.jobs += 1
        work.counted = job_id
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
    """Shows finished tasks while the block runs: a live line below the log in a terminal, else a line now and then.

    How many tasks there will be nobody knows before the last job has begun, so no share of them is shown.
    """
    from rich import get_console
    from rich.live import Live
    from rich.text import Text

    tasks, console = _Tasks(session.sparkContext.statusTracker(), group), get_console()
    since = last_line = time.monotonic()
    before = tasks.count()
    done = lines = 0

    def said() -> str:
        return f"{label}: {counted(done, 'task')} done after {time.monotonic() - since:.0f} s"

    def look() -> None:
        nonlocal done, lines, last_line
        due = time.monotonic() - last_line > _LINE_S * min(6, 1 + lines // 6)
        if not (console.is_interactive or due):
            return  # asking Spark costs the work that is timed
        done = max(done, tasks.count() - before)
        if not console.is_interactive:
            lines, last_line = lines + 1, time.monotonic()
            logger.info("%s", said())

    live = Live(get_renderable=lambda: Text(said(), no_wrap=True, overflow="ellipsis"), console=console, transient=True)
    with live if console.is_interactive else nullcontext(), Polling(look, _POLL_S):
        yield


class _Tasks:
    """Finished tasks of a job group; a job that has ended is not asked again."""

    def __init__(self, tracker: Any, group: str) -> None:
        self._tracker = tracker
        self._group = group
        self._ended: dict[int, int] = {}

    def count(self) -> int:
        """Tasks that have finished by now."""
        running = 0
        for job_id in self._tracker.getJobIdsForGroup(self._group):
            if job_id in self._ended or (job := self._tracker.getJobInfo(job_id)) is None:
                continue
            stages = filter(None, map(self._tracker.getStageInfo, job.stageIds))
            tasks = sum(stage.numCompletedTasks for stage in stages)
            if job.status == "RUNNING":
                running += tasks
            else:
                self._ended[job_id] = tasks
        return sum(self._ended.values()) + running


def executor_peaks(session: "SparkSession") -> list[dict[str, Any]]:
    """Peak memory of every executor of the session, dead ones included.

    Returns:
        One dict per executor: id, host, cores, `peak_jvm_memory_mb` and `peak_python_memory_mb`
        (resident memory of the executor's process tree in MiB; None where the platform has no /proc).
    """
    session.sparkContext._jsc.sc().listenerBus().waitUntilEmpty()
    peaks = []
    for executor in list_executors(session, only_live=False):
        metrics, described = executor.peakMemoryMetrics(), describe_executor(executor)
        for kind in ("JVM", "Python"):
            peak = metrics.get().getMetricValue(f"ProcessTree{kind}RSSMemory") if metrics.isDefined() else 0
            described[f"peak_{kind.lower()}_memory_mb"] = round(peak / 2**20, 1) if peak > 0 else None
        peaks.append(described)
    return peaks


def driver_usage() -> dict[str, float]:
    """Peak resident memory in MiB and CPU seconds of this process and its JVM, since their start."""
    import psutil

    own = psutil.Process()
    processes = [own, *(child for child in own.children() if child.name() == "java")]
    cpu = sum(sum(process.cpu_times()[:2]) for process in processes)
    peak = sum(_peak_memory(process) for process in processes)
    return {"peak_memory_mb": round(peak / 2**20, 1), "cpu_s": round(cpu, 2)}


def _peak_memory(process: Any) -> int:
    status = Path(f"/proc/{process.pid}/status")
    if status.exists():
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return process.memory_info().rss
