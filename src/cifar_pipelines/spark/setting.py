"""A parallelism setting, and the rules that make one legal.

A setting `exec_<M>x<C>` asks for `spark.cores.max` = M cores in all and `spark.executor.cores` = C
cores per executor, hence M / C executors of `spark.executor.memory` each.
"""

import os
import re
from dataclasses import dataclass, field
from typing import Any

from cifar_pipelines.common.errors import UserError

# Spark refuses an executor heap below 1.5 times the 300 MiB that it reserves for itself.
MINIMUM_EXECUTOR_MEMORY_MB = 450

_UNITS_MB = {"m": 1, "g": 1024, "t": 1024 * 1024}


def parse_memory_mb(text: object) -> int:
    """Reads a JVM memory size.

    Args:
        text: A whole number with a unit, such as "512m" or "2g".

    Returns:
        The size in MiB.

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


def _require_positive_int(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UserError(f"{name} is {value!r}, but must be a whole number of at least 1.")


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
        _require_positive_int("budget.cores", self.cores)
        parse_memory_mb(self.memory)
        if self.memory_scope not in ("total", "per_executor"):
            raise UserError(
                f"budget.memory_scope is {self.memory_scope!r}, but must be 'total' (all executors "
                "together) or 'per_executor'."
            )

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
    """

    cores_max: int
    executor_cores: int
    executor_memory: str
    budget: Budget = field(default_factory=Budget)

    def __post_init__(self) -> None:
        _require_positive_int("cores_max (spark.cores.max)", self.cores_max)
        _require_positive_int("executor_cores (spark.executor.cores)", self.executor_cores)
        if self.cores_max > self.budget.cores:
            raise self._refusal(
                f"spark.cores.max = {self.cores_max} exceeds the budget of {self.budget.cores} cores in all"
            )
        if self.cores_max % self.executor_cores:
            raise self._refusal(
                f"spark.cores.max = {self.cores_max} is not divisible by spark.executor.cores = "
                f"{self.executor_cores}, so {self.cores_max % self.executor_cores} cores would stay unused"
            )
        memory_mb = parse_memory_mb(self.executor_memory)
        if memory_mb < MINIMUM_EXECUTOR_MEMORY_MB:
            raise UserError(
                f"spark.executor.memory = {self.executor_memory} is below Spark's minimum of "
                f"{MINIMUM_EXECUTOR_MEMORY_MB}m. Try 1g."
            )
        allowed_mb = self.budget.memory_per_executor_mb(self.executors)
        if memory_mb > allowed_mb:
            scope = (
                "per executor"
                if self.budget.memory_scope == "per_executor"
                else f"in all, and {self.executors} x {self.executor_memory} is more"
            )
            if allowed_mb < MINIMUM_EXECUTOR_MEMORY_MB:
                remedy = f"{self.executors} executors do not fit it at all: take fewer, larger ones."
            else:
                remedy = f"At most {format_memory(allowed_mb)} fits {self.executors} executor(s)."
            raise UserError(
                f"Illegal parallelism setting {self.name}: spark.executor.memory = {self.executor_memory} "
                f"exceeds the budget of {self.budget.memory} {scope}. {remedy}"
            )

    def _refusal(self, rule: str) -> UserError:
        cores_max, executor_cores = nearest_legal_shape(
            self.cores_max, self.executor_cores, self.budget.cores
        )
        return UserError(
            f"Illegal parallelism setting {self.name}: {rule}. The nearest legal setting is "
            f"exec_{cores_max}x{executor_cores} (spark.cores.max = {cores_max}, "
            f"spark.executor.cores = {executor_cores})."
        )

    @property
    def name(self) -> str:
        """The setting's name, which is also that of its environment: `exec_<M>x<C>`."""
        return f"exec_{self.cores_max}x{self.executor_cores}"

    @property
    def executors(self) -> int:
        """Number of executors."""
        return self.cores_max // self.executor_cores

    @property
    def executor_memory_mb(self) -> int:
        """Heap of one executor in MiB."""
        return parse_memory_mb(self.executor_memory)

    @classmethod
    def from_config(cls, parallelism: object, budget: dict[str, Any] | None = None) -> "ParallelismSetting":
        """Builds a setting from the `parallelism` and `budget` blocks of `globals.yml`.

        Raises:
            UserError: If a key is missing or unknown, or a rule is broken.
        """
        required = ("cores_max", "executor_cores", "executor_memory")
        if not isinstance(parallelism, dict):
            raise UserError(f"parallelism is {parallelism!r}, but must hold {', '.join(required)}.")
        missing = [key for key in required if parallelism.get(key) is None]
        unknown = [str(key) for key in parallelism if key not in required]
        if missing or unknown:
            raise UserError(
                "The parallelism setting "
                + "; ".join(
                    part
                    for part in (
                        f"lacks {', '.join(missing)}" if missing else "",
                        f"has unknown keys {', '.join(unknown)}" if unknown else "",
                    )
                    if part
                )
                + f". It must hold exactly {', '.join(required)} (conf/<environment>/globals.yml)."
            )
        try:
            limits = Budget(**(budget or {}))
        except TypeError as error:
            raise UserError(
                f"budget in globals.yml: {error}. Known keys: cores, memory, memory_scope."
            ) from None
        return cls(**parallelism, budget=limits)

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


def legal_shapes(cores: int) -> list[tuple[int, int]]:
    """All legal (cores_max, executor_cores) within a budget of cores, smallest first."""
    return [(m, c) for m in range(1, cores + 1) for c in range(1, m + 1) if m % c == 0]


def nearest_legal_shape(cores_max: int, executor_cores: int, cores: int) -> tuple[int, int]:
    """The legal shape that changes the two numbers least; of equals, the one with more cores."""
    return min(
        legal_shapes(cores),
        key=lambda shape: (abs(shape[0] - cores_max) + abs(shape[1] - executor_cores), -shape[0], shape[1]),
    )


def host_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def suited_shapes(cores: int, available: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Three shapes that a host can run without oversubscription and that differ most.

    The smallest one is the baseline; the largest number of cores follows, once as executors of one
    core and once as executors with as many cores as possible.

    Args:
        cores: Cores of the host.
        available: Shapes that have an environment.

    Returns:
        At most three shapes, the baseline first; fewer on a host with one core.
    """
    fitting = sorted(shape for shape in available if shape[0] <= cores)
    if not fitting:
        return []
    most = max(m for m, _ in fitting)
    largest = [shape for shape in fitting if shape[0] == most]
    return list(dict.fromkeys([fitting[0], largest[0], largest[-1]]))
