"""The plan of a study: the settings that a budget allows, those to measure first, the fit times to expect of the others."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Any

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.spark.setting import (
    MINIMUM_EXECUTOR_MEMORY_MB,
    Budget,
    ParallelismSetting,
    broken_rule,
    format_memory,
    parse_memory_mb,
    setting_name,
)

if TYPE_CHECKING:
    from cifar_pipelines.scaling.fit import ScalingFit
    from cifar_pipelines.scaling.nonnegative import Estimate

MEMORY_STEP_MB = 256
# Gustafson's law says nothing about a fixed number of images.
FOR_FIXED_IMAGES = ("Ernest", "Amdahl", "Universal Scalability Law")
CRITERION = (
    "the smallest setting as the baseline; the most cores that this host has, as executors of few cores; and the "
    "setting that, with these two, tells executors from cores best (docs/scaling_models.md)"
)


@dataclass(frozen=True)
class Refusal:
    """A shape that the budget does not allow: what the setting would be called, and the rule that it breaks.

    Attributes:
        divides: Whether its executors have equally many cores, so that the rule is one of memory.
    """

    name: str
    rule: str
    divides: bool


@dataclass(frozen=True)
class Expectation:
    """What the fitted models expect of one trained model.

    Attributes:
        label: Name of the model.
        train_size: Training images of its latest study.
        most_cores: The largest number of cores that went into the models.
        fits: The fitted models that say something about this number of images.
        reasons: Why the others say nothing, by their name.
    """

    label: str
    train_size: int
    most_cores: int
    fits: tuple["ScalingFit", ...]
    reasons: Mapping[str, str]

    def of(self, setting: ParallelismSetting) -> dict[str, "Estimate | None"]:
        """Expected fit time under a setting, by model of scaling; the models know its cores only."""
        return {fit.model: fit.predict(setting.cores_max, self.train_size) for fit in self.fits}


def plan_settings(budget: Budget, executor_memory: str | None = None) -> tuple[list[ParallelismSetting], list[Refusal]]:
    """Lists all legal settings of a budget, and what is refused.

    Args:
        budget: What all executors together may use.
        executor_memory: The most that one executor shall get; None for as much as fits.

    Returns:
        The legal settings, smallest first, each with the memory asked for or the largest that fits, rounded down to
        256 MB (below 512 MB it is not rounded); and the other shapes.

    Raises:
        UserError: If the memory is no memory size, or below Spark's minimum.
    """
    most_mb = None if executor_memory is None else parse_memory_mb(executor_memory)
    if most_mb is not None and most_mb < MINIMUM_EXECUTOR_MEMORY_MB:
        raise UserError(
            f"The executor memory {executor_memory} is below Spark's minimum of {MINIMUM_EXECUTOR_MEMORY_MB}m. Try 1g."
        )
    legal, refused = [], []
    for cores_max in range(1, budget.cores + 1):
        for executor_cores in range(1, cores_max + 1):
            memory = format_memory(_memory_mb(budget, cores_max // executor_cores, most_mb))
            # Asked first: an illegal setting looks for the nearest legal one, which takes time.
            rule = broken_rule(cores_max, executor_cores, memory, budget)
            if rule is None:
                legal.append(ParallelismSetting(cores_max, executor_cores, memory, budget))
            else:
                refused.append(Refusal(setting_name(cores_max, executor_cores), rule, not cores_max % executor_cores))
    return legal, refused


def most_informative(settings: Sequence[ParallelismSetting], host_cores: int) -> list[ParallelismSetting]:
    """Chooses at most three settings to measure first; see `CRITERION`.

    For three measurements and log time = a + b log cores + c log(cores per executor), the generalised variance of a, b
    and c is smallest where the determinant of the design is largest (Wald, "On the efficient design of statistical
    investigations", 1943). The baseline and the second setting are fixed; the third is the one that makes it largest, of
    equals the one with fewer cores. Settings that oversubscribe the host measure the host, so they are not candidates.

    Returns:
        The baseline first; fewer than three where no setting adds information.
    """
    fitting = sorted(
        (setting for setting in settings if not setting.oversubscribes(host_cores)),
        key=lambda setting: (setting.cores_max, setting.executor_cores),
    )
    if not fitting:
        return []
    first = fitting[0]
    most = max(setting.cores_max for setting in fitting)
    second = next(setting for setting in fitting if setting.cores_max == most)
    if second is first:
        return [first]
    third = max(fitting, key=lambda setting: round(_determinant(first, second, setting), 9))
    return [first, second, third] if _determinant(first, second, third) > 0 else [first, second]


def expectations(run_records: Mapping[str, Callable[[], dict[str, Any]] | dict[str, Any]]) -> Iterator[Expectation]:
    """Fits the models of scaling to the latest study on the embedded cluster.

    Of each model the number of images counts that was measured with the most different numbers of cores.

    Yields:
        One expectation per trained model of that study; nothing where there is none.
    """
    from cifar_pipelines.records.columns import records_to_table
    from cifar_pipelines.records.summary import MODEL, summarise, trained
    from cifar_pipelines.scaling.points import scaling_fits

    table, _ = records_to_table(run_records)
    if table.empty:
        return
    summary, _ = summarise(table)
    models = trained(summary)
    models = models[models["cluster"] == "embedded"]
    if models.empty:
        return
    study = ["source", "seed", "test_size", "host_cores"]
    newest = models.sort_values("latest").iloc[-1]
    models = models[(models[study] == newest[study]).all(axis=1)]
    for _, rows in models.groupby(MODEL):
        train_size = int(rows.groupby("train_size")["cores"].nunique().sort_index().iloc[::-1].idxmax())
        for label, fits in scaling_fits(summary, rows[rows["train_size"] == train_size]):
            fixed = [fit for fit in fits if fit.model in FOR_FIXED_IMAGES]
            most_cores = max((point.cores for fit in fixed for point in fit.points), default=0)
            identified = tuple(fit for fit in fixed if fit.reason is None)
            reasons = {fit.model: fit.reason for fit in fixed if fit.reason is not None}
            yield Expectation(label, train_size, most_cores, identified, reasons)


def _memory_mb(budget: Budget, executors: int, most_mb: int | None) -> int:
    """Memory of one executor: what is asked for, else what fits, in whole steps where that leaves enough."""
    fits = budget.memory_per_executor_mb(executors)
    if most_mb is not None and most_mb <= fits:
        return most_mb
    rounded = fits // MEMORY_STEP_MB * MEMORY_STEP_MB
    # Memory that is too little is written as the minimum, so that the refusal names the budget.
    return max(rounded if rounded >= MINIMUM_EXECUTOR_MEMORY_MB else fits, MINIMUM_EXECUTOR_MEMORY_MB)


def _determinant(*settings: ParallelismSetting) -> float:
    """Size of the determinant of three rows (1, log cores, log cores per executor)."""
    (x0, y0), (x1, y1), (x2, y2) = ((log(setting.cores_max), log(setting.executor_cores)) for setting in settings)
    return abs((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0))
