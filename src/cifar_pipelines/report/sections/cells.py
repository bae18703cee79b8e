"""Markdown tables of the comparison report, and what their cells say."""

from collections.abc import Callable, Mapping

import pandas as pd

from cifar_pipelines.records.summary import marks

Columns = Mapping[str, Callable[[pd.Series], object]]


def markdown_table(rows: pd.DataFrame, columns: Columns) -> str:
    """Writes rows as a Markdown table.

    Args:
        rows: The rows.
        columns: For each heading, what to write of a row.

    Returns:
        The table, without a final line break.
    """
    lines = [" | ".join(columns), " | ".join("---" for _ in columns)]
    lines += [" | ".join(cell(write(row)) for write in columns.values()) for _, row in rows.iterrows()]
    return "\n".join(f"| {line} |" for line in lines)


def cell(value: object) -> str:
    """Writes a value into a cell; a missing one as a dash."""
    return "–" if value is None or value != value else str(value).replace("|", "\\|").replace("\n", " ")


def text(column: str) -> Callable[[pd.Series], object]:
    """Returns what writes one value of a row."""
    return lambda row: row[column]


def number(column: str, form: str) -> Callable[[pd.Series], object]:
    """Returns what writes one number of a row."""
    return lambda row: None if pd.isna(row[column]) else format(row[column], form)


def pair(
    first: Callable[[pd.Series], object], second: Callable[[pd.Series], object], between: str = " / "
) -> Callable[[pd.Series], object]:
    """Returns what writes two values of a row into one cell; a dash where both are missing."""

    def write(row: pd.Series) -> str | None:
        both = first(row), second(row)
        return None if both == (None, None) else between.join(map(cell, both))

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
