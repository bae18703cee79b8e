"""Reads the event log of one Spark application: its jobs, tasks and executors, and nothing else of it."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.event_log.files import REMEDY, log_files, log_lines, require_event_log
from cifar_pipelines.event_log.task import MissingFieldError, Task, read_task, read_unfinished

_EVENT = '{"Event":"SparkListener'
_NEEDED = (
    *("LogStart", "ApplicationStart", "ApplicationEnd", "ExecutorAdded", "ExecutorRemoved"),
    *("JobStart", "JobEnd", "TaskEnd", "StageExecutorMetrics"),
)
_LONGEST_NAME = 60  # characters of a line within which the name of its event ends
_TASK_ID = re.compile(r'"Task ID":(\d+)')
_MICRO_BATCH = re.compile(r"(.*\n)?id = \S+\nrunId = ")  # how Spark describes the jobs of a stream


@dataclass
class Job:
    """A Spark job; times are seconds since 1970.

    Attributes:
        group: Id of its job group; None where none was set.
        ended: When it ended; None if the log ends before.
        stages: Ids of its stages, also of those that were skipped.
        description: What it is about, in words; None where none were set.
    """

    id: int
    group: str | None
    submitted: float
    ended: float | None = None
    stages: tuple[int, ...] = ()
    description: str | None = None


@dataclass
class Executor:
    """An executor: when it registered, and when it was lost (None if it lived to the end), in seconds since 1970."""

    id: str
    cores: int
    added: float
    removed: float | None = None


@dataclass
class Application:
    """What an event log says; times are seconds since 1970.

    Attributes:
        id: Spark's id of the application.
        spark_version: Version of Spark that wrote the log.
        started: When the application started.
        ended: When it ended, or the time of the last event read.
        finished: Whether the log holds the application's end.
        jobs: Jobs, in the order of their numbers.
        stage_tasks: Number of tasks by stage id.
        python_stages: Ids of stages that hold an RDD computed by Python workers.
        barrier_stages: Ids of stages whose tasks all run at once, as the workers of a training do.
        tasks: Tasks that ended, in the order of the log, then those that never did.
        executors: Executors, in the order in which they registered.
        peaks: Peak resident memory in bytes by (stage id, executor id): (JVM, Python workers).
        bad_lines: Lines that are no JSON; a log that was cut short ends with one.
        notes: What the log lacks, in sentences.
    """

    id: str = "unknown"
    spark_version: str = "unknown"
    started: float | None = None
    ended: float = 0.0
    finished: bool = False
    jobs: list[Job] = field(default_factory=list)
    stage_tasks: dict[int, int] = field(default_factory=dict)
    python_stages: set[int] = field(default_factory=set)
    barrier_stages: set[int] = field(default_factory=set)
    tasks: list[Task] = field(default_factory=list)
    executors: list[Executor] = field(default_factory=list)
    peaks: dict[tuple[int, str], tuple[int, int]] = field(default_factory=dict)
    bad_lines: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def cores(self) -> int:
        """The most cores that were registered at a time."""
        changes = [(one.added, one.cores) for one in self.executors]
        changes += [(one.removed, -one.cores) for one in self.executors if one.removed is not None]
        most = now = 0
        for _, change in sorted(changes):
            now += change
            most = max(most, now)
        return most

    @property
    def labels(self) -> dict[str, str]:
        """What every job group is about, in the words of its first job; by its id, which stands for missing words."""
        return {job.group: _words(job.description) or job.group for job in reversed(self.jobs) if job.group}


def _words(description: str | None) -> str | None:
    """What a job is about, without the ids that Spark gives the query of a stream."""
    batch = _MICRO_BATCH.match(description or "")
    return description if batch is None else (batch[1] or "").strip() or "micro-batches of the stream"


def find_event_log(folder: Path, application_id: str) -> Path | None:
    """Finds the log of an application in `spark.eventLog.dir`; None if there is none."""
    names = (application_id, f"{application_id}.inprogress", f"eventlog_v2_{application_id}")
    return next((folder / name for name in names if (folder / name).exists()), None)


def read_event_log(path: Path) -> Application:
    """Reads an event log.

    Only the events that are needed are parsed, so that 10,000 tasks take a second or two.

    Args:
        path: A file, also one with the suffix .inprogress, or the folder of a rolled log.

    Returns:
        The application. Lines that are cut are skipped and counted, and what is missing is noted.

    Raises:
        UserError: There is no such log, it is compressed or something else, or lacks what nothing can
            be said without.
    """
    application, reader = Application(), None
    files, notes = log_files(path)
    for file in files:
        require_event_log(file)
        reader = reader or _Reader(application)
        for line in log_lines(file):
            reader.take(line)
    if reader is None:
        raise UserError(f"{path} is empty. {REMEDY}")
    reader.finish(path)
    application.notes[:0] = notes
    return application


class _Reader:
    """Takes the lines of a log one by one."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self._running: dict[int, str] = {}  # lines of tasks that started, by task id
        self._lacking: set[str] = set()

    def take(self, line: str) -> None:
        """Reads a line if its event is needed."""
        if not line.startswith(_EVENT):
            self.application.bad_lines += not line.endswith("}")
            return
        name = line[len(_EVENT) : _LONGEST_NAME].partition('"')[0]
        if name == "TaskStart" and (found := _TASK_ID.search(line)):
            self._running[int(found[1])] = line
            return
        if name not in _NEEDED:
            self.application.bad_lines += not line.endswith("}")
            return
        try:
            event = json.loads(line)
        except ValueError:
            self.application.bad_lines += 1
            return
        try:
            self._take_event(name, event)
        except KeyError as error:
            raise MissingFieldError(name, str(error.args[0])) from None

    def finish(self, path: Path) -> None:
        """Adds tasks that never ended, and says what the log lacks."""
        log = self.application
        for line in self._running.values():
            try:
                log.tasks.append(read_unfinished(json.loads(line)))
            except ValueError:
                log.bad_lines += 1
        if log.started is None:
            raise UserError(
                f"{path} does not say when the application started (SparkListenerApplicationStart). {REMEDY}"
            )
        times = [log.started, log.ended]
        times += [task.finish or task.launch for task in log.tasks]
        times += [job.ended or job.submitted for job in log.jobs]
        log.ended = max(times)
        for task in log.tasks:
            task.finish = task.finish or max(log.ended, task.launch)
        log.jobs.sort(key=lambda job: job.id)
        if not log.finished:
            log.notes.append("The log holds no end of the application: it runs still, or was killed.")
        if not log.executors:
            log.notes.append("The log names no executor (SparkListenerExecutorAdded), so its cores are unknown.")
        if log.bad_lines:
            log.notes.append(f"Lines that were cut, and were skipped: {log.bad_lines}.")
        if self._lacking:
            log.notes.append(
                f"Tasks of Spark {log.spark_version} lack {', '.join(sorted(self._lacking))}: these parts count as 0."
            )

    def _take_event(self, name: str, event: dict[str, Any]) -> None:
        log = self.application
        match name:
            case "LogStart":
                log.spark_version = event["Spark Version"]
            case "ApplicationStart":
                log.id = event.get("App ID") or "unknown"
                log.started = event["Timestamp"] / 1e3
            case "ApplicationEnd":
                log.ended = event["Timestamp"] / 1e3
                log.finished = True
            case "ExecutorAdded":
                cores = event["Executor Info"]["Total Cores"]
                log.executors.append(Executor(event["Executor ID"], cores, event["Timestamp"] / 1e3))
            case "ExecutorRemoved":
                for executor in log.executors:
                    if executor.id == event["Executor ID"] and executor.removed is None:
                        executor.removed = event["Timestamp"] / 1e3
            case "JobStart":
                self._start_job(event)
            case "JobEnd":
                for job in log.jobs:
                    if job.id == event["Job ID"]:
                        job.ended = event["Completion Time"] / 1e3
            case "TaskEnd":
                task, lacking = read_task(event)
                self._running.pop(task.id, None)
                self._lacking.update(lacking)
                log.tasks.append(task)
                self._keep_peak(task.stage, task.executor, event.get("Task Executor Metrics"))
            case "StageExecutorMetrics":
                self._keep_peak(event["Stage ID"], event["Executor ID"], event.get("Executor Metrics"))

    def _start_job(self, event: dict[str, Any]) -> None:
        properties, stages = event.get("Properties") or {}, event["Stage Infos"]
        group, description = properties.get("spark.jobGroup.id"), properties.get("spark.job.description")
        ids = tuple(stage["Stage ID"] for stage in stages)
        submitted = event["Submission Time"] / 1e3
        self.application.jobs.append(Job(event["Job ID"], group, submitted, stages=ids, description=description))
        for stage in stages:
            self.application.stage_tasks[stage["Stage ID"]] = stage["Number of Tasks"]
            if any(rdd.get("Name") == "PythonRDD" for rdd in stage.get("RDD Info", ())):
                self.application.python_stages.add(stage["Stage ID"])
            if any(rdd.get("Barrier") for rdd in stage.get("RDD Info", ())):
                self.application.barrier_stages.add(stage["Stage ID"])

    def _keep_peak(self, stage: int, executor: str, metrics: dict[str, int] | None) -> None:
        metrics = metrics or {}
        seen = self.application.peaks.get((stage, executor), (0, 0))
        names = ("ProcessTreeJVMRSSMemory", "ProcessTreePythonRSSMemory")
        found = tuple(max(old, metrics.get(name, 0)) for old, name in zip(seen, names, strict=True))
        if any(found):
            self.application.peaks[stage, executor] = found
