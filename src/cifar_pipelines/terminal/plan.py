"""The plan of a study, as tables for the terminal."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cifar_pipelines.common.words import counted, seconds, some
from cifar_pipelines.scaling.planner import (
    CRITERION,
    FOR_FIXED_IMAGES,
    Expectation,
    Refusal,
    most_informative,
    plan_settings,
)
from cifar_pipelines.spark.setting import Budget, ParallelismSetting

if TYPE_CHECKING:
    from cifar_pipelines.scaling.nonnegative import Estimate

# More names of refused shapes than this would bury the plan.
LISTED = 12


def plan_report(budget: Budget, executor_memory: str | None, host_cores: int, expected: Sequence[Expectation]) -> Group:
    """Lays out the legal settings, what to measure first and why, expected fit times, and what is refused.

    Args:
        budget: What all executors together may use.
        executor_memory: The most that one executor shall get; None for as much as fits.
        host_cores: Cores of this host.
        expected: What the fitted models expect of each trained model.

    Raises:
        UserError: If the memory is no memory size, or below Spark's minimum.
    """
    legal, refused = plan_settings(budget, executor_memory)
    chosen = most_informative(legal, host_cores)
    parts: list[RenderableType] = [_settings_table(budget, legal, chosen, host_cores), _first(chosen)]
    if not expected:
        parts.append(Text("\nExpected fit times: measure first; no study on the embedded cluster is recorded."))
    for expectation in expected:
        parts += _expected(expectation, legal, host_cores)
    return Group(*parts, *_refused(refused))


def _refused(refused: Sequence[Refusal]) -> Iterator[Text]:
    """A line for each rule that shapes break."""
    if refused:
        yield Text(f"\n{counted(len(refused), 'shape')} within these cores cannot be used.")
    if uneven := [one.name for one in refused if not one.divides]:
        yield Text(
            f"  spark.cores.max is not divisible by spark.executor.cores: {some(uneven, LISTED, 'of them', 'of them')}."
        )
    if too_large := [one for one in refused if one.divides]:
        others = [one.name for one in too_large[1:]]
        alike = f" Likewise {some(others, LISTED, 'of them', 'of them')}." if others else ""
        yield Text(f"  {too_large[0].name}: {too_large[0].rule}.{alike}")


def _settings_table(
    budget: Budget, legal: Sequence[ParallelismSetting], chosen: Sequence[ParallelismSetting], host_cores: int
) -> Table:
    scope = "in all" if budget.memory_scope == "total" else "per executor"
    title = f"{counted(len(legal), 'legal setting')} within {counted(budget.cores, 'core')} and {budget.memory} {scope}"
    table = Table(
        "setting", "cores", "executors", "cores each", "memory each", "on this host", "measure", title=title
    )  # fmt: skip
    for setting in legal:
        numbers = (setting.cores_max, setting.executors, setting.executor_cores)
        rank = f"{chosen.index(setting) + 1}." if setting in chosen else ""
        fits = f"oversubscribed: {counted(host_cores, 'core')} here" if setting.oversubscribes(host_cores) else "fits"
        table.add_row(setting.name, *map(str, numbers), setting.executor_memory, fits, rank)
    return table


def _first(chosen: Sequence[ParallelismSetting]) -> Text:
    if not chosen:
        return Text("No legal setting fits this host, so none is worth measuring on it.")
    return Text(f"Measure first: {', '.join(setting.name for setting in chosen)}. Criterion: {CRITERION}.")


def _expected(
    expectation: Expectation, legal: Sequence[ParallelismSetting], host_cores: int
) -> Iterator[RenderableType]:
    """The expected fit times of one trained model, or why there are none."""
    title = f"{expectation.label}, {counted(expectation.train_size, 'training image')}"
    if not expectation.fits:
        yield Text(f"\nExpected fit time of {title}: measure first.")
    else:
        names = [name for name in FOR_FIXED_IMAGES if name not in expectation.reasons]
        table = Table("setting", *names, "note", title=escape(f"Expected fit time of {title} [s], 95 % interval"))
        for setting in legal:
            times = expectation.of(setting)
            note = _note(setting, expectation, host_cores)
            table.add_row(setting.name, *(_estimated(times.get(name)) for name in names), note)
        yield table
    for name, reason in expectation.reasons.items():
        yield Text(f"  {name} is not identifiable. {reason}")


def _note(setting: ParallelismSetting, expectation: Expectation, host_cores: int) -> str:
    if setting.oversubscribes(host_cores):
        return "oversubscribes this host: the time is for a host that has the cores"
    return "beyond the cores measured" if setting.cores_max > expectation.most_cores else ""


def _estimated(estimate: "Estimate | None") -> str:
    if estimate is None:
        return "–"
    between = "no interval" if estimate.low is None else f"{seconds(estimate.low)} to {seconds(estimate.high)}"
    return f"{seconds(estimate.value)} ({between})"
