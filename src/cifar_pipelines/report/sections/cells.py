"""Tables of the report from rows of a frame, and what their cells say."""

from collections.abc import Callable, Iterable, Mapping
from itertools import chain, groupby
from typing import TypeAlias

import pandas as pd

from cifar_pipelines.common import words
from cifar_pipelines.records.summary import marks
from cifar_pipelines.report.document.blocks import NOTHING, Span, Spans, Table, plain, table

Cell: TypeAlias = str | Callable[[pd.Series], object]
Columns: TypeAlias = Mapping[str, Cell]
# Formats that Python has no letters for.
FORMS: Mapping[str, Callable[[float], str]] = {"seconds": words.seconds, "digits": words.three_digits}


def table_of(rows: pd.DataFrame, columns: Columns) -> Table:
    """Writes rows as a table.

    Args:
        rows: The rows.
        columns: For each heading, what to write of a row: a column, such as "cores", a column with a format, such as
            "speedup:.2f" or one of `FORMS`, as in "fit_s:seconds", or a function of the row. A missing value becomes a dash.
    """
    return table(list(columns), ([cell_of(row, cell) for cell in columns.values()] for _, row in rows.iterrows()))


def without_empty(whole: Table) -> Table:
    """The same table without the columns that say nothing of any row."""
    said = [place for place in range(len(whole.header)) if any(plain(row[place]) not in NOTHING for row in whole.rows)]
    return Table(
        tuple(whole.header[place] for place in said), tuple(tuple(row[place] for place in said) for row in whole.rows)
    )


def cell_of(row: pd.Series, cell: Cell) -> object:
    """Writes one cell of a row; see `table_of`."""
    if not isinstance(cell, str):
        return cell(row)
    column, _, form = cell.partition(":")
    if pd.isna(row[column]) or not form:
        return None if pd.isna(row[column]) else row[column]
    return FORMS[form](row[column]) if form in FORMS else format(row[column], form)


def pair(first: Cell, second: Cell, between: str = " / ") -> Callable[[pd.Series], str | None]:
    """Returns what writes two values of a row into one cell; a dash where both are missing."""

    def write(row: pd.Series) -> str | None:
        both = cell_of(row, first), cell_of(row, second)
        return None if both == (None, None) else between.join("–" if one is None else str(one) for one in both)

    return write


def scaled(value: float, factor: float, form: str = ",.0f") -> str | None:
    """Writes a number in another unit."""
    return None if pd.isna(value) else format(value * factor, form)


def seconds(row: pd.Series) -> str:
    """Writes the median time of a row with minimum and maximum, in seconds."""
    median, least, most = (words.seconds(row[name]) for name in ("time_s", "time_min_s", "time_max_s"))
    return median if row["timings"] == 1 else f"{median} ({least} to {most})"


def marked(row: pd.Series) -> str:
    """Writes what makes the time of a row doubtful."""
    return ", ".join(marks(row))


def behind(rows: pd.Series | pd.DataFrame) -> Spans:
    """Writes a reference to the records behind a row, or behind several."""
    return reference(rows["records"] if isinstance(rows, pd.Series) else chain(*rows["records"]))


def reference(numbers: Iterable[int]) -> Spans:
    """Writes the numbers of records, neighbours as a range: [r1–r4, r9]; a dash for none."""
    ordered = sorted(set(numbers))
    if not ordered:
        return (Span("–"),)
    runs = [[number for _, number in group] for _, group in groupby(enumerate(ordered), lambda pair: pair[1] - pair[0])]
    spans: list[Span] = []
    for run in runs:
        spans += [Span(", " if spans else "["), _link(run[0])]
        if len(run) > 1:
            spans += [Span("–" if len(run) > 2 else ", "), _link(run[-1])]
    return (*spans, Span("]"))


def name_of(number: int) -> str:
    """The short name of a record."""
    return f"r{number}"


def _link(number: int) -> Span:
    return Span(name_of(number), target=f"#{name_of(number)}")
