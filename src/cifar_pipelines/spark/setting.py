"""A parallelism setting, and the rules that make one legal.

A setting `exec_<M>x<C>` asks for `spark.cores.max` = M cores in all and `spark.executor.cores` = C
cores per executor, hence M / C executors of `spark.executor.memory` each.
"""

import os
import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cifar_pipelines.common import resolvers
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import build, whole
from cifar_pipelines.common.words import counted

# Spark refuses an executor heap below 1.5 times the 300 MiB that it reserves for itself.
MINIMUM_EXECUTOR_MEMORY_MB = 450

# Every legal setting of a budget is listed, and their number grows faster than the cores.
MOST_CORES = 512

_UNITS_MB = {"m": 1, "g": 1024, "t": 1024 * 1024}


def parse_memory_mb(text: object) -> int:
    """Reads a JVM memory size, a whole number with a unit such as "512m" or "2g", in MiB.

    Raises:
        UserError: If the text is not such a size.
    """
    match = re.fullmatch(r"(\d+)\s*([mgt])b?", str(text).strip().lower())
    if not match or int(match[1]) == 0:
        raise UserError(f"{text!r} is no memory size. Write a whole number and a unit, such as 512m or 2g.")
    return int(match[1]) * _UNITS_MB[match[2]]


def format_memory(mb: int) -> str:
    """Writes a size in MiB the way Spark reads it: "2g" or "1280m"."""
    return f"{mb // 1024}g" if mb % 1024 == 0 else f"{mb}m"


def setting_name(cores_max: int, executor_cores: int) -> str:
    """The name of a setting that does not name its memory, which is also that of its environment: `exec_<M>x<C>`."""
    return resolvers.setting_name({"cores_max": cores_max, "executor_cores": executor_cores})


class IllegalSettingError(UserError):
    """A parallelism setting that breaks a rule: the rule with its numbers, and what to do, a sentence."""

    def __init__(self, name: str, rule: str, remedy: str) -> None:
        super().__init__(f"Illegal parallelism setting {name}: {rule}. {remedy}")
        self.rule, self.remedy = rule, remedy


@dataclass(frozen=True)
class Budget:
    """What all executors together may use.

    Attributes:
        cores: The largest legal `spark.cores.max`.
        memory: Executor memory, such as "10g".
        memory_scope: "total" when `memory` is for all executors together, "per_executor" when each
            executor may have that much.
    """

    cores: int = 8
    memory: str = "10g"
    memory_scope: str = "total"

    def __post_init__(self) -> None:
        whole("budget.cores", self.cores, 1)
        if self.cores > MOST_CORES:
            raise UserError(f"budget.cores is {self.cores}, but must be at most {MOST_CORES}. Plan for fewer cores.")
        parse_memory_mb(self.memory)
        if self.memory_scope not in ("total", "per_executor"):
            scope = f"budget.memory_scope is {self.memory_scope!r}"
            raise UserError(f"{scope}, but must be 'total' (all executors together) or 'per_executor'.")

    def memory_per_executor_mb(self, executors: int) -> int:
        """The most that each of this many executors may have, in MiB."""
        total = parse_memory_mb(self.memory)
        return total if self.memory_scope == "per_executor" else total // executors


@dataclass(frozen=True)
class ParallelismSetting:
    """A legal parallelism setting; building an illegal one raises.

    Attributes:
        cores_max: `spark.cores.max`, cores of all executors together.
        executor_cores: `spark.executor.cores`, cores of one executor.
        executor_memory: `spark.executor.memory`, heap of one executor, such as "2g".
        budget: What all executors together may use.
        named_after_memory: Whether the memory is part of the name, `exec_2x1_3g`, so that two memories for the same cores are
            two settings.
    """

    cores_max: int
    executor_cores: int
    executor_memory: str
    budget: Budget = field(default_factory=Budget)
    named_after_memory: bool = False

    def __post_init__(self) -> None:
        whole("cores_max (spark.cores.max)", self.cores_max, 1)
        whole("executor_cores (spark.executor.cores)", self.executor_cores, 1)
        rule = broken_rule(self.cores_max, self.executor_cores, self.executor_memory, self.budget)
        if rule is not None:
            raise IllegalSettingError(self.name, rule, self._remedy())

    def _remedy(self) -> str:
        if self.cores_max > self.budget.cores or self.cores_max % self.executor_cores:
            nearest = nearest_legal_shape(self.cores_max, self.executor_cores, self.budget.cores)
            return (
                f"The nearest legal setting is {setting_name(*nearest)} (spark.cores.max = {nearest[0]}, "
                f"spark.executor.cores = {nearest[1]})."
            )
        if self.executor_memory_mb < MINIMUM_EXECUTOR_MEMORY_MB:
            return "Try 1g."
        allowed_mb = self.budget.memory_per_executor_mb(self.executors)
        if allowed_mb < MINIMUM_EXECUTOR_MEMORY_MB:
            return f"{counted(self.executors, 'executor')} cannot fit it at all: take fewer, larger ones."
        return f"At most {format_memory(allowed_mb)} fits {counted(self.executors, 'executor')}."

    @property
    def name(self) -> str:
        """The setting's name, which is also that of its environment."""
        return resolvers.setting_name(vars(self))

    @property
    def executors(self) -> int:
        """Number of executors."""
        return self.cores_max // self.executor_cores

    @property
    def executor_memory_mb(self) -> int:
        """Heap of one executor in MiB."""
        return parse_memory_mb(self.executor_memory)

    @classmethod
    def from_config(cls, parallelism: object, budget: object = None) -> "ParallelismSetting":
        """Builds a setting from the `parallelism` and `budget` blocks of `globals.yml`.

        Raises:
            UserError: If a key is missing or unknown, or a rule is broken.
        """
        limits = build(Budget, budget, "the budget in globals.yml")
        return build(cls, parallelism, "the parallelism setting in globals.yml", budget=limits)

    def oversubscribes(self, cores: int) -> bool:
        """Whether a host with so many cores cannot give every core of the executors one of its own."""
        return oversubscribes(self.cores_max, cores)

    def spark_conf(self) -> dict[str, str]:
        """The three Spark properties that make the setting."""
        return {
            "spark.cores.max": str(self.cores_max),
            "spark.executor.cores": str(self.executor_cores),
            "spark.executor.memory": format_memory(self.executor_memory_mb),
        }

    def asked(self) -> dict[str, int]:
        """The setting as it stands in a run record."""
        return {
            "cores_max": self.cores_max,
            "executor_cores": self.executor_cores,
            "executor_memory_mb": self.executor_memory_mb,
            "executors": self.executors,
        }


def setting_of(loader: Any) -> ParallelismSetting:
    """The setting of a configuration, given its loader.

    Raises:
        UserError: If it is illegal.
    """
    return ParallelismSetting.from_config(loader["globals"].get("parallelism"), loader["globals"].get("budget"))


def broken_rule(cores_max: int, executor_cores: int, executor_memory: str, budget: Budget) -> str | None:
    """The rule that a setting breaks, with its numbers; None for a legal one."""
    if cores_max > budget.cores:
        return f"spark.cores.max = {cores_max} exceeds the budget of {counted(budget.cores, 'core')} in all"
    if cores_max % executor_cores:
        return (
            f"spark.cores.max = {cores_max} is not divisible by spark.executor.cores = {executor_cores}, so "
            f"{cores_max % executor_cores} cores would stay unused"
        )
    memory_mb, executors = parse_memory_mb(executor_memory), cores_max // executor_cores
    if memory_mb < MINIMUM_EXECUTOR_MEMORY_MB:
        return f"spark.executor.memory = {executor_memory} is below Spark's minimum of {MINIMUM_EXECUTOR_MEMORY_MB}m"
    if memory_mb <= budget.memory_per_executor_mb(executors):
        return None
    each = budget.memory_scope == "per_executor"
    scope = "per executor" if each else f"in all, and {executors} x {executor_memory} is more"
    return f"spark.executor.memory = {executor_memory} exceeds the budget of {budget.memory} {scope}"


def oversubscribes(cores: int, host_cores: int) -> bool:
    """Whether executors with so many cores take more than their host has: then it measures the host."""
    return cores > host_cores


def oversubscription(setting: str, cores: int, host_cores: int) -> str:
    """What to say, before a run, of a setting that asks for more cores than the host has."""
    return (
        f"{setting} is oversubscribed: it asks for {cores} cores of a host with {counted(host_cores, 'core')}, so tasks share cores, and times do "
        "not show what a cluster with that many cores would do."
    )


def start_words(setting: ParallelismSetting, host_cores: int) -> str:
    """What to say when a setting starts on a host with so many cores."""
    each = f"{counted(setting.executor_cores, 'core')} and {setting.executor_memory} each"
    words = f"Starting Spark at {setting.name}: {counted(setting.executors, 'executor')} with {each}."
    over = setting.oversubscribes(host_cores)
    return f"{words} {oversubscription(setting.name, setting.cores_max, host_cores)}" if over else words


def legal_shapes(cores: int) -> list[tuple[int, int]]:
    """All legal (cores_max, executor_cores) within a budget of cores, smallest first."""
    return [(m, c) for m in range(1, cores + 1) for c in range(1, m + 1) if m % c == 0]


def nearest_legal_shape(cores_max: int, executor_cores: int, cores: int) -> tuple[int, int]:
    """The legal shape that changes the two numbers least; of equals, the one with more cores."""
    return min(
        legal_shapes(cores),
        key=lambda shape: (abs(shape[0] - cores_max) + abs(shape[1] - executor_cores), -shape[0], shape[1]),
    )


def affinity_cores() -> int:
    """Cores on which this process may run."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def host_cores() -> int:
    """Cores that this process may use: those on which it may run, or fewer by the quota of its container."""
    return max(1, int(min(affinity_cores(), _quota())))


def _quota(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> float:
    """The CPU time per second that the control groups of this process allow; infinite where they do not say."""
    allowed = [float("inf")]
    with suppress(OSError, ValueError):
        lines = [line.split(":", 2) for line in own.read_text(encoding="utf-8").splitlines()]
        for _, controllers, path in lines:
            # One hierarchy for all (version 2) or one for CPU time (version 1); a limit holds for all that is below it.
            base = root if not controllers else root / "cpu" if "cpu" in controllers.split(",") else None
            inner = Path(path.lstrip("/"))
            for folder in [] if base is None else [base / inner, *(base / above for above in inner.parents), base]:
                allowed.append(_quota_of(folder))
    return min(allowed)


def _quota_of(group: Path) -> float:
    """Quota over period of one control group."""
    for names in (["cpu.max"], ["cpu.cfs_quota_us", "cpu.cfs_period_us"]):
        with suppress(OSError, ValueError, IndexError, ZeroDivisionError):
            words = " ".join((group / name).read_text(encoding="utf-8") for name in names).split()
            if float(words[0]) > 0:
                return float(words[0]) / float(words[1])
    return float("inf")


def suited_shapes(cores: int, available: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Three available shapes that a host with so many cores can run without oversubscription and that differ most.

    The smallest one is the baseline; the largest number of cores follows, once as executors of one
    core and once as executors with as many cores as possible.

    Returns:
        At most three shapes, the baseline first; fewer on a host with one core.
    """
    fitting = sorted(shape for shape in available if not oversubscribes(shape[0], cores))
    if not fitting:
        return []
    most = max(m for m, _ in fitting)
    largest = [shape for shape in fitting if shape[0] == most]
    return list(dict.fromkeys([fitting[0], largest[0], largest[-1]]))
