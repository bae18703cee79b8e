"""What a benchmark found: figures, their ratios, and the bar they are held against."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from rich.table import Table

SCHEMA_VERSION = 1
BUSY_SHARE = 0.1  # of the host's CPU time, taken by others; above this, figures are no evidence


@dataclass(frozen=True)
class Bar:
    """A limit that a benchmark's figure has to keep.

    Attributes:
        limit: The limit.
        at_least: True when the figure must reach the limit, False when it must stay below.
    """

    limit: float
    at_least: bool

    def met_by(self, figure: float) -> bool:
        """Whether a figure keeps the limit."""
        return bool(figure >= self.limit if self.at_least else figure < self.limit)  # JSON knows no bool of NumPy's

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '<'} {self.limit:g}"


@dataclass(frozen=True)
class Result:
    """The figures of one benchmark.

    Attributes:
        name: Name of the benchmark.
        unit: Unit of `ours` and `reference`.
        ours: The project's figure, one per repeat.
        reference: The other side, measured in turn with `ours`; None where the figure speaks for itself.
        bar: What the median has to keep: that of the ratios where there is a reference, else that of
            `ours`. None for a benchmark that is only reported.
        notes: Sentences that explain the figures.
        holds: Whether a further condition held, such as "starts no JVM".
        other_cpu_share: Share of the host's CPU time that other processes took during the measurement, 0 to
            1; None where that does not matter.
    """

    name: str
    unit: str
    ours: Sequence[float]
    reference: Sequence[float] | None = None
    bar: Bar | None = None
    notes: Sequence[str] = field(default_factory=tuple)
    holds: bool = True
    other_cpu_share: float | None = None

    @property
    def disturbed(self) -> bool:
        """Whether other processes took so much of the host that the figures are no evidence."""
        return (self.other_cpu_share or 0) > BUSY_SHARE

    @property
    def ratios(self) -> list[float] | None:
        """`ours` over `reference`, repeat by repeat, so that both sides saw about the same host."""
        if self.reference is None:
            return None
        return [mine / other for mine, other in zip(self.ours, self.reference, strict=True)]

    @property
    def met(self) -> bool | None:
        """Whether the bar is met; None without a bar."""
        if self.bar is None:
            return None
        return self.holds and self.bar.met_by(median(self.ratios or self.ours))

    def for_json(self) -> dict[str, Any]:
        """The benchmark as it stands in `bench.json`."""
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": summarise(self.ours),
            "reference": summarise(self.reference),
            "ratio": summarise(self.ratios),
            "bar": None if self.bar is None else str(self.bar),
            "met": self.met,
            "other_cpu_share": self.other_cpu_share,
            "disturbed": self.disturbed,
            "notes": list(self.notes),
        }


def summarise(values: Sequence[float] | None) -> dict[str, Any] | None:
    """Median, extremes and number of some figures, and the figures themselves; None for none."""
    if values is None:
        return None
    return {
        "median": median(values),
        "min": min(values),
        "max": max(values),
        "runs": len(values),
        "values": list(values),
    }


def results_table(results: Sequence[Result]) -> Table:
    """The results as a table for the terminal."""
    table = Table("benchmark", title="Medians; a ratio is ours / reference, repeat by repeat")
    for heading in ("ours", "reference", "ratio", "min–max", "runs", "bar", "met", "others' CPU"):
        table.add_column(heading, justify="right")
    for result in results:
        spread = result.ratios or result.ours
        table.add_row(
            f"{result.name} [{result.unit}]".replace("[", r"\["),
            _figure(median(result.ours)),
            "" if result.reference is None else _figure(median(result.reference)),
            "" if result.ratios is None else f"{median(result.ratios):.2f}",
            f"{_figure(min(spread))}–{_figure(max(spread))}",
            str(len(result.ours)),
            "" if result.bar is None else str(result.bar),
            {None: "", True: "[green]yes[/green]", False: "[red]no[/red]"}[result.met],
            "" if result.other_cpu_share is None else _share(result),
        )
    return table


def _share(result: Result) -> str:
    text = f"{result.other_cpu_share:.0%}"
    return f"[red]{text}[/red]" if result.disturbed else text


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
