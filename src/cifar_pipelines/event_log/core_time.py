"""What cores did while they ran no task."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from cifar_pipelines.event_log.task import Task

_LAUNCH, _LEAVE, _FETCH, _FETCHED, _CLOSE, _MOMENT = range(6)


def free_core_time(
    tasks: list[Task],
    stage_tasks: Mapping[int, int],
    stage_ends: Mapping[int, float],
    weights: Mapping[int, int],
    cores: int,
    moments: tuple[float, float, float],
) -> dict[str, float]:
    """Adds up the core-seconds in which cores were free, by the reason.

    While no task runs, all cores wait for the driver; while some run, a free core waits for its next task (the
    stage has some left to launch), for the longest tasks of the stage, or has nothing to do because the stage has
    fewer tasks than there are cores.

    Args:
        tasks: The tasks.
        stage_tasks: Number of tasks by stage.
        stage_ends: When the job of a stage ended, in seconds since 1970.
        weights: Cores that a task uses, by task id; 1 if absent.
        cores: Number of cores.
        moments: Start, end of the start-up, and end of what is looked at, in seconds since 1970.

    Returns:
        Core-seconds by reason, which is the name of a component.
    """
    start, started, end = moments
    free: defaultdict[str, float] = defaultdict(float)
    state = _State(stage_tasks, weights)
    now = start
    for moment, kind, what in [*_events(tasks, stage_ends, started), (end, _MOMENT, None)]:
        moment = min(max(moment, start), end)
        if moment > now:
            idle = max(cores - state.busy, 0)
            starting = not state.busy and moment <= started
            free["start_up" if starting else state.reason(cores)] += idle * (moment - now)
            now = moment
        state.take(kind, what)
    return free


def _events(tasks: list[Task], stage_ends: Mapping[int, float], started: float) -> list[tuple[float, int, Any]]:
    events: list[tuple[float, int, Any]] = [(started, _MOMENT, None)]
    for task in tasks:
        events.append((task.launch, _LAUNCH, task))
        events.append((task.left_core, _LEAVE, task))
        if task.getting:
            events.append((task.getting, _FETCH, task))
            events.append((task.finish, _FETCHED, task))
    events += [(moment, _CLOSE, stage) for stage, moment in stage_ends.items()]
    return sorted(events, key=lambda event: event[0])


class _State:
    """Which tasks run at a moment, and which stages have tasks left to launch."""

    def __init__(self, stage_tasks: Mapping[int, int], weights: Mapping[int, int]) -> None:
        self._stage_tasks = stage_tasks
        self._weights = weights
        self._running: Counter[int] = Counter()  # tasks by stage
        self._weight: dict[int, int] = {}  # cores of a task, by stage
        self._launched: Counter[int] = Counter()  # tasks by stage
        self._waiting: set[int] = set()
        self._fetching = 0
        self.busy = 0

    def take(self, kind: int, what: Any) -> None:
        """Goes on after an event."""
        if kind == _LAUNCH:
            self._run(what, 1)
            self._launched[what.stage] += 1
            if self._launched[what.stage] < self._stage_tasks.get(what.stage, 1):
                self._waiting.add(what.stage)
            else:
                self._waiting.discard(what.stage)
        elif kind == _LEAVE:
            self._run(what, -1)
        elif kind == _FETCH:
            self._fetching += 1
        elif kind == _FETCHED:
            self._fetching -= 1
        elif kind == _CLOSE:
            self._waiting.discard(what)

    def reason(self, cores: int) -> str:
        """Why a core is free now."""
        if self._waiting:
            return "scheduler_delay"
        if not self._running:
            return "result" if self._fetching else "driver"
        wanted = sum(self._stage_tasks.get(stage, 1) * self._weight[stage] for stage in self._running)
        return "idle_few_tasks" if wanted < cores else "idle_skew"

    def _run(self, task: Task, change: int) -> None:
        weight = self._weights.get(task.id, 1)
        self.busy += change * weight
        self._weight[task.stage] = weight
        self._running[task.stage] += change
        if not self._running[task.stage]:
            del self._running[task.stage]
