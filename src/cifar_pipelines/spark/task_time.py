"""What one task spent its time on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from cifar_pipelines.spark.event_log_task import Task


@dataclass(frozen=True)
class Workers:
    """What the workers of a CNN training counted of themselves, in seconds of one worker.

    Attributes:
        threads: Cores that a worker used while its one task ran.
        seconds: Mean over the workers by part: start, reading, training, validation, checkpoints.
    """

    threads: int
    seconds: Mapping[str, float]


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
    outer, delay = _fill(
        held, {"deserialise": task.deserialise_s, "result": task.serialise_s, "run": task.run_s}
    )
    run = outer.pop("run")
    outer["scheduler_delay"] = delay
    if workers:
        return outer | _fill(run, workers.seconds)[0]
    python = task.uses_python or task.stage in python_stages
    timed = max(task.python_total_s - task.python_start_s, 0.0)
    inner, rest = _fill(
        run,
        {
            "gc": task.gc_s,
            "shuffle_read": task.fetch_wait_s,
            "shuffle_write": task.shuffle_write_s,
            "python_start": task.python_start_s,
            "jvm_compute": task.cpu_s,
            "python_compute": timed,
        },
    )
    if python and not task.python_total_s:
        # Spark 3.5 does not time Python workers: while a task waits for one, its JVM thread does nothing else.
        inner["python_compute"] += rest
    return outer | inner


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
