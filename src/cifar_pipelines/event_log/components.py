"""Splits the core-seconds of an application, and of each of its job groups, into what they were spent on.

All parts are core-seconds, and add up to wall time x cores: what no rule explains is the part `remainder`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cifar_pipelines.event_log.component_names import COMPONENTS
from cifar_pipelines.event_log.core_time import free_core_time
from cifar_pipelines.event_log.reader import Application, Job
from cifar_pipelines.event_log.task import Task
from cifar_pipelines.event_log.task_time import Workers, split_task, worst_skew

REMAINDER = "remainder"


@dataclass(frozen=True)
class Measured:
    """What a run record says of a job group.

    Attributes:
        wall_s: Seconds by the run's own clock, which sees the driver before the first job too.
        python_cpu_s: CPU seconds of Python workers; None if unknown.
        workers: Counters of a network's workers, once for every phase of its training; empty for all else.
        driver_training_s: Seconds in which the driver itself trained.
    """

    wall_s: float
    python_cpu_s: float | None = None
    workers: tuple[Workers, ...] = ()
    driver_training_s: float = 0.0


@dataclass
class Components:
    """Where the time of an application or of a job group went.

    Attributes:
        group: Id of the job group; None for the whole application.
        label: What was done, in words; "application" for all of it.
        wall_s: Seconds by the clock.
        parts: Core-seconds by part, with `remainder`, which closes the sum; it is below zero where tasks overlap.
        jvm_cpu_s: CPU seconds of the JVM's task threads.
        python_cpu_s: CPU seconds of Python workers; None if unknown.
        skew: The stage that waited longest for its longest task: `stage`, `tasks`, `longest_s`, `median_s`,
            `ratio`; None where no stage has two tasks.
        memory: Peak resident memory in MiB by executor: `executor`, `jvm_mb`, `python_mb`.
    """

    group: str | None
    label: str
    wall_s: float
    cores: int
    parts: dict[str, float]
    jobs: int = 0
    tasks: int = 0
    jvm_cpu_s: float = 0.0
    python_cpu_s: float | None = None
    skew: dict[str, float] | None = None
    memory: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: every part as core-seconds, as seconds of wall time, and as a share."""
        total = self.wall_s * self.cores
        cpu = self.jvm_cpu_s + (self.python_cpu_s or 0)
        return {
            **({"group": self.group} if self.group else {}),
            "label": self.label,
            "wall_s": round(self.wall_s, 3),
            "cores": self.cores,
            "core_s": round(total, 3),
            "jobs": self.jobs,
            "tasks": self.tasks,
            "components": {
                name: {
                    "core_s": round(self.parts[name], 3),
                    "seconds": round(self.parts[name] / self.cores, 3) if self.cores else 0.0,
                    "share": round(self.parts[name] / total, 4) if total else 0.0,
                }
                for name in COMPONENTS
                if self.parts.get(name)
            },
            "cpu": {
                "jvm_s": round(self.jvm_cpu_s, 3),
                "python_s": None if self.python_cpu_s is None else round(self.python_cpu_s, 3),
                "share_of_core_s": round(cpu / total, 4) if total else 0.0,
            },
            "skew": self.skew,
            "memory": self.memory,
        }


def split_application(log: Application, measured: Mapping[str, Measured]) -> tuple[Components, list[Components]]:
    """Splits the whole application, and each of its job groups.

    Args:
        log: The application.
        measured: What run records say, by the id of the job group.

    Returns:
        The components of the application, and those of its job groups in the order of their first job.
    """
    owner = group_of_stages(log)
    workers = worker_tasks(log, owner, measured)
    first_job = min((job.submitted for job in log.jobs), default=log.ended)
    there = [one.added for one in log.executors if one.added <= first_job]
    started = max(there) if there else first_job
    whole = _split(log, log.tasks, log.jobs, log.started, log.ended, workers, started)
    known = [group.python_cpu_s for group in measured.values() if group.python_cpu_s is not None]
    whole.python_cpu_s = sum(known) if known else None
    groups: dict[str, list[Job]] = {}
    for job in log.jobs:
        if job.group:
            groups.setdefault(job.group, []).append(job)
    tasks_of: dict[str | None, list[Task]] = {}
    for task in log.tasks:
        tasks_of.setdefault(owner.get(task.stage), []).append(task)
    split = [
        _of_group(log, group, jobs, tasks_of.get(group, []), workers, measured.get(group))
        for group, jobs in groups.items()
    ]
    by_driver = min(sum(one.parts["driver_training"] for one in split), whole.parts["driver"])
    whole.parts["driver"] -= by_driver
    whole.parts["driver_training"] += by_driver
    return whole, split


def _of_group(
    log: Application,
    group: str,
    jobs: list[Job],
    tasks: list[Task],
    workers: Mapping[int, Workers],
    known: Measured | None,
) -> Components:
    """Splits the time of a job group, from its first job to its last and, where a record knows of it, before and after."""
    start = min(job.submitted for job in jobs)
    end = max(job.ended or log.ended for job in jobs)
    components = _split(log, tasks, jobs, start, end, workers, start)
    components.group, components.label = group, log.labels[group]
    if known:
        # The run's own clock saw the driver at work before the first and after the last job too.
        more = max(known.wall_s - components.wall_s, 0.0)
        components.wall_s += more
        components.python_cpu_s = known.python_cpu_s
        waited = components.parts["driver"] + more * components.cores
        trained_s = known.driver_training_s
        if not any(
            task.stage in log.barrier_stages for task in tasks
        ):  # the workers were processes of the driver's host
            trained_s += sum(sum(one.seconds.values()) for one in known.workers)
        components.parts["driver_training"] = min(trained_s * components.cores, waited)
        components.parts["driver"] = waited - components.parts["driver_training"]
    return components


def _split(
    log: Application,
    tasks: list[Task],
    jobs: list[Job],
    start: float,
    end: float,
    workers: Mapping[int, Workers],
    started: float,
) -> Components:
    """Splits the time from `start` to `end`, in which these jobs and tasks ran; until `started` free cores start up."""
    end = max([end, *(task.finish for task in tasks)])
    cores, wall = log.cores, end - start
    parts = dict.fromkeys(COMPONENTS, 0.0)
    for task in tasks:
        counted = workers.get(task.id)
        for name, seconds in split_task(task, log.python_stages, counted).items():
            parts[name] += seconds * (counted.threads if counted else 1)
    weights = {task_id: counted.threads for task_id, counted in workers.items()}
    ends = {stage: job.ended or log.ended for job in jobs for stage in job.stages}
    for name, seconds in free_core_time(tasks, log.stage_tasks, ends, weights, cores, (start, started, end)).items():
        parts[name] += seconds
    parts[REMAINDER] = wall * cores - sum(parts.values())
    return Components(
        None, "application", wall, cores, parts, len(jobs), len(tasks),
        jvm_cpu_s=sum(task.cpu_s + task.deserialise_cpu_s for task in tasks),
        skew=worst_skew(tasks),
        memory=_memory(log, {task.stage for task in tasks}),
    )  # fmt: skip


def group_of_stages(log: Application) -> dict[int, str | None]:
    """The job group of every stage: that of its first job, which is the one that ran it."""
    return {stage: job.group for job in reversed(log.jobs) for stage in job.stages}


def worker_tasks(
    log: Application, owner: Mapping[int, str | None], measured: Mapping[str, Measured]
) -> dict[int, Workers]:
    """The tasks in which a network's workers ran, a stage for every phase.

    The tasks of such a stage run all at once, and all of them succeed. Orca has a short one like it before every training.
    """
    found = {}
    for group, known in measured.items():
        by_stage: dict[int, list[Task]] = {}
        for task in log.tasks:
            if task.succeeded and task.stage in log.barrier_stages and owner.get(task.stage) == group:
                by_stage.setdefault(task.stage, []).append(task)
        whole = [stage for stage, tasks in by_stage.items() if len(tasks) == log.stage_tasks[stage]]
        whole.sort(key=lambda stage: sum(task.run_s for task in by_stage[stage]), reverse=True)
        for stage, workers in zip(sorted(whole[: len(known.workers)]), known.workers, strict=False):
            found |= {task.id: workers for task in by_stage[stage]}
    return found


def _memory(log: Application, stages: set[int]) -> list[dict[str, Any]]:
    peaks: dict[str, tuple[int, int]] = {}
    for (stage, executor), (jvm, python) in log.peaks.items():
        if stage in stages:
            before = peaks.get(executor, (0, 0))
            peaks[executor] = max(before[0], jvm), max(before[1], python)
    return [
        {"executor": executor, "jvm_mb": round(jvm / 2**20, 1) or None, "python_mb": round(python / 2**20, 1) or None}
        for executor, (jvm, python) in sorted(peaks.items())
    ]
