"""What one task spent its time on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from cifar_pipelines.event_log.task import Task


@dataclass(frozen=True)
class Workers:
    """What the workers of a CNN training counted of themselves, in seconds of one worker.

    Attributes:
        threads: Cores that a worker used while its one task ran.
        seconds: Mean over the workers by part: start, reading, training, validation, checkpoints.
        began: When the project's code began in them, in seconds since 1970; None if unknown.
        ended: When their last epoch had ended; None if unknown.
    """

    threads: int
    seconds: Mapping[str, float]
    began: float | None = None
    ended: float | None = None

    def seconds_in(self, task: Task) -> dict[str, float]:
        """Seconds by part within a task, with what the engine did before the workers' code and after it.

        A moment outside of the task comes from a clock that does not agree with the driver's, and is left out.
        """
        seconds = dict(self.seconds)
        end = task.left_core - task.serialise_s
        start = end - task.run_s
        if self.began is not None and start <= self.began <= end:
            seconds["python_start"] += self.began - start
        if self.ended is not None and start <= self.ended <= end:
            seconds["worker_stop"] = end - self.ended
        return seconds


def split_task(task: Task, python_stages: Iterable[int], workers: Workers | None) -> dict[str, float]:
    """Splits the time in which a task held its core; what is left over belongs to the remainder.

    Counters that overlap (the CPU time of writing a shuffle, say) are cut, in the order below, so that the parts
    never exceed the time of the task.

    Args:
        task: The task.
        python_stages: Stages that hold an RDD computed by Python workers.
        workers: Counters of the CNN's workers, if the task is one of them.

    Returns:
        Seconds by part.
    """
    held = max(task.left_core - task.launch, 0.0)
    if not task.ended:
        return {}
    if not task.succeeded:
        return {"failed": held}
    outer, delay = _fill(held, {"deserialise": task.deserialise_s, "result": task.serialise_s, "run": task.run_s})
    run = outer.pop("run")
    outer["scheduler_delay"] = delay
    if workers:
        return outer | _fill(run, workers.seconds_in(task))[0]
    python = task.uses_python or task.stage in python_stages
    wanted = {
        "gc": task.gc_s, "shuffle_read": task.fetch_wait_s, "shuffle_write": task.shuffle_write_s,
        "python_start": task.python_start_s, "jvm_compute": task.cpu_s,
        "python_compute": task.python_total_s - task.python_start_s,
    }  # fmt: skip
    inner, rest = _fill(run, wanted)
    # Spark 3.5 does not time Python workers: while a task waits for one, its JVM thread does nothing else.
    waiting_for_python = python and not task.python_total_s
    inner["python_compute"] += rest if waiting_for_python else 0.0
    return outer | inner | {"jvm_wait": 0.0 if waiting_for_python else rest}


def worst_skew(tasks: list[Task]) -> dict[str, float] | None:
    """The stage whose longest task exceeds its median one by the most seconds."""
    durations: dict[int, list[float]] = {}
    for task in tasks:
        if task.succeeded:
            durations.setdefault(task.stage, []).append(task.left_core - task.launch)
    several = {stage: times for stage, times in durations.items() if len(times) > 1}
    if not several:
        return None
    stage, times = max(several.items(), key=lambda item: max(item[1]) - median(item[1]))
    middle = median(times)
    return {
        "stage": stage,
        "tasks": len(times),
        "longest_s": round(max(times), 3),
        "median_s": round(middle, 3),
        "ratio": round(max(times) / middle, 2) if middle else 1.0,
    }


def _fill(total: float, wanted: Mapping[str, float]) -> tuple[dict[str, float], float]:
    """Gives each part what it wants while there is some left; returns the parts and what is left."""
    given = {}
    for name, seconds in wanted.items():
        given[name] = min(max(seconds, 0.0), total)
        total -= given[name]
    return given, total
