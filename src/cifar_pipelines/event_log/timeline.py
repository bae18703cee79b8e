"""Which core ran what, and when: small enough for a JSON file, whatever the number of tasks."""

from collections.abc import Mapping
from typing import Any

from cifar_pipelines.event_log.reader import Application
from cifar_pipelines.event_log.task import Task

RESOLUTION = 500  # gaps below this fraction of the wall time are not kept
_UNGROUPED = "loading, checking, saving"


def timeline_of(log: Application, owner: Mapping[int, str | None], threads: Mapping[int, int]) -> dict[str, Any]:
    """Lays tasks out on the cores of their executors.

    Spark does not say which core of an executor ran a task, so each takes the first that is free. Tasks of the same
    label that follow each other on a core are joined.

    Args:
        log: The application.
        owner: Job group by stage.
        threads: Cores that a task used, by task id; 1 if absent.

    Returns:
        `lanes`: executor and number of each core; `labels`: what was done; `spans`: [place in `lanes`, first second,
        last second, place in `labels`], in seconds since the application started.
    """
    gap = max(log.ended - log.started, 0.0) / RESOLUTION
    lanes: list[list[Any]] = [[executor.id, core] for executor in log.executors for core in range(executor.cores)]
    free_at = [0.0] * len(lanes)
    last: dict[int, list[float]] = {}
    labels: list[str] = []
    label_of = log.labels
    spans: list[list[float]] = []
    for task in sorted(log.tasks, key=lambda task: task.launch):
        label = label_of.get(owner.get(task.stage), _UNGROUPED)
        if label not in labels:
            labels.append(label)
        for lane in _lanes_of(task, threads.get(task.id, 1), lanes, free_at):
            # The driver learns of a task's end some milliseconds after it has launched the next one.
            start, end = max(task.launch, free_at[lane]) - log.started, task.left_core - log.started
            free_at[lane] = max(task.left_core, free_at[lane])
            if end <= start:
                continue
            before = last.get(lane)
            if before and before[3] == labels.index(label) and start - before[2] <= gap:
                before[2] = end
            else:
                last[lane] = [lane, start, end, labels.index(label)]
                spans.append(last[lane])
    return {
        "wall_s": round(log.ended - log.started, 3),
        "lanes": lanes,
        "labels": labels,
        "spans": [[lane, round(start, 3), round(end, 3), label] for lane, start, end, label in spans],
    }


def _lanes_of(task: Task, wanted: int, lanes: list[list[Any]], free_at: list[float]) -> list[int]:
    """The cores that a task gets: those that are free, or else the one that is free first."""
    own = [place for place, (executor, _) in enumerate(lanes) if executor == task.executor]
    if not own:  # the log does not say that this executor was there
        lanes.append([task.executor, 0])
        free_at.append(0.0)
        own = [len(lanes) - 1]
    free = [place for place in own if free_at[place] <= task.launch][:wanted]
    return free or [min(own, key=free_at.__getitem__)]
