"""One task of an event log."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cifar_pipelines.common.errors import UserError

_MS, _NS = 1e3, 1e9
# Field of `Task`, path in "Task Metrics" of the event, and what divides its value into seconds.
_METRICS = (
    ("run_s", ("Executor Run Time",), _MS),
    ("deserialise_s", ("Executor Deserialize Time",), _MS),
    ("serialise_s", ("Result Serialization Time",), _MS),
    ("cpu_s", ("Executor CPU Time",), _NS),
    ("deserialise_cpu_s", ("Executor Deserialize CPU Time",), _NS),
    ("gc_s", ("JVM GC Time",), _MS),
    ("fetch_wait_s", ("Shuffle Read Metrics", "Fetch Wait Time"), _MS),
    ("shuffle_write_s", ("Shuffle Write Metrics", "Shuffle Write Time"), _NS),
)
# Accumulables of SQL that time Python workers, by the start of their names; Spark 3.5 has none, Spark 4 has.
_PYTHON = {
    "time to start Python": "python_start_s",
    "time to initialize Python": "python_start_s",
    "time to run Python": "python_total_s",
}


class MissingFieldError(UserError):
    """An event lacks a field without which nothing can be said."""

    def __init__(self, event: str, field: str) -> None:
        super().__init__(
            f"An event SparkListener{event} lacks the field {field!r}. The log is of another version of Spark than 3 "
            "or 4, or was changed. Read the log of a run of this project."
        )


@dataclass
class Task:
    """A task; `launch`, `getting` and `finish` are seconds since 1970 by the driver's clock, all else seconds.

    Attributes:
        launch: When the driver launched it.
        finish: When the driver had its result; 0 for a task that never ended, until the log is read to its end.
        succeeded: Whether it did; a killed task did not.
        ended: Whether the log holds its end.
        getting: When the driver began to fetch a large result from the executor; 0 where the result came with
            the message.
        uses_python: Whether it exchanged data with a Python worker in SQL.
        run_s: Time of computing.
        deserialise_s: Time of unpacking the task.
        serialise_s: Time of packing the result.
        cpu_s: CPU time of the task's JVM thread while it computed.
        deserialise_cpu_s: CPU time of that thread while it unpacked the task.
        gc_s: Time in which the executor collected garbage while the task ran.
        fetch_wait_s: Time of waiting for shuffle blocks.
        shuffle_write_s: Time of writing shuffle blocks.
        python_start_s: Time of starting and initialising Python workers, where Spark knows it.
        python_total_s: Time from start to end of Python workers, where Spark knows it.
    """

    id: int
    stage: int
    executor: str
    launch: float
    finish: float
    succeeded: bool
    ended: bool = True
    getting: float = 0.0
    uses_python: bool = False
    run_s: float = 0.0
    deserialise_s: float = 0.0
    serialise_s: float = 0.0
    cpu_s: float = 0.0
    deserialise_cpu_s: float = 0.0
    gc_s: float = 0.0
    fetch_wait_s: float = 0.0
    shuffle_write_s: float = 0.0
    python_start_s: float = 0.0
    python_total_s: float = 0.0

    @property
    def left_core(self) -> float:
        """When the task no longer held its core; a large result is fetched afterwards."""
        return self.getting or self.finish


def read_task(event: dict[str, Any]) -> tuple[Task, set[str]]:
    """Reads the end of a task.

    Returns:
        The task, and the names of metrics that a successful task lacks.

    Raises:
        KeyError: A field is missing without which the task is of no use.
    """
    info = event["Task Info"]
    reason = (event.get("Task End Reason") or {}).get("Reason", "Success")
    task = Task(
        id=info["Task ID"],
        stage=event["Stage ID"],
        executor=info["Executor ID"],
        launch=info["Launch Time"] / _MS,
        finish=info["Finish Time"] / _MS,
        succeeded=reason == "Success" and not info.get("Failed") and not info.get("Killed"),
        getting=info.get("Getting Result Time", 0) / _MS,
    )
    lacking = _read_metrics(task, event.get("Task Metrics") or {})
    _read_accumulables(task, info.get("Accumulables") or ())
    return task, lacking if task.succeeded else set()


def read_unfinished(event: dict[str, Any]) -> Task:
    """Reads the start of a task that never ended."""
    info = event["Task Info"]
    launch = info["Launch Time"] / _MS
    return Task(info["Task ID"], event["Stage ID"], info["Executor ID"], launch, 0.0, False, ended=False)


def _read_metrics(task: Task, metrics: dict[str, Any]) -> set[str]:
    lacking = set()
    for name, path, divisor in _METRICS:
        value: Any = metrics
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if value is None:
            lacking.add(path[-1])
        else:
            setattr(task, name, value / divisor)
    return lacking


def _read_accumulables(task: Task, accumulables: Iterable[dict[str, Any]]) -> None:
    for one in accumulables:
        name = str(one.get("Name") or "")
        if "Python" not in name:
            continue
        task.uses_python = True
        for start, attribute in _PYTHON.items():
            if name.startswith(start):
                value = float(one.get("Update") or 0) / _MS
                setattr(task, attribute, getattr(task, attribute) + value)
