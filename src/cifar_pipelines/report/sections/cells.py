"""Tables of the report from rows of a frame, and what their cells say."""

from collections.abc import Callable, Mapping

import pandas as pd

from cifar_pipelines.records.summary import marks
from cifar_pipelines.report.document.blocks import Spans, Table, table
from cifar_pipelines.report.references import reference

Write = Callable[[pd.Series], object]
Columns = Mapping[str, Write]


def table_of(rows: pd.DataFrame, columns: Columns) -> Table:
    """Writes rows as a table.

    Args:
        rows: The rows.
        columns: For each heading, what to write of a row; a missing value becomes a dash.
    """
    return table(list(columns), ([write(row) for write in columns.values()] for _, row in rows.iterrows()))


def text(column: str) -> Write:
    """Returns what writes one value of a row."""
    return lambda row: row[column]


def number(column: str, form: str) -> Write:
    """Returns what writes one number of a row."""
    return lambda row: None if pd.isna(row[column]) else format(row[column], form)


def pair(first: Write, second: Write, between: str = " / ") -> Write:
    """Returns what writes two values of a row into one cell; a dash where both are missing."""

    def write(row: pd.Series) -> str | None:
        both = first(row), second(row)
        return (
            None if both == (None, None) else between.join("–" if one is None else str(one) for one in both)
        )

    return write


def scaled(value: float, factor: float, form: str = ",.0f") -> str | None:
    """Writes a number in another unit."""
    return None if pd.isna(value) else format(value * factor, form)


def seconds(row: pd.Series) -> str:
    """Writes the median time of a row with minimum and maximum, in seconds."""
    if row["timings"] == 1:
        return f"{row['time_s']:.3g}"
    return f"{row['time_s']:.3g} ({row['time_min_s']:.3g} to {row['time_max_s']:.3g})"


def marked(row: pd.Series) -> str:
    """Writes what makes the time of a row doubtful."""
    return ", ".join(marks(row))


def behind(row: pd.Series) -> Spans:
    """Writes a reference to the records behind a row."""
    return reference(row["records"])
