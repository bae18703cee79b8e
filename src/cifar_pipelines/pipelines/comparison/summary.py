"""The comparison, as one table for the terminal."""

import pandas as pd
from rich import box
from rich.markup import escape
from rich.table import Table

from cifar_pipelines.evaluation.summary import marks, sections


def terminal_summary(summary_table: pd.DataFrame) -> Table:
    """Lays out the comparison for the terminal.

    Args:
        summary_table: What `compare_runs` returned.

    Returns:
        A table of model x setting with accuracy and its interval in per cent, median time, speed-up and
        marks; a rule parts data sets.
    """
    table = Table(title="Models and parallelism settings", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("model, setting", overflow="fold", min_width=20)
    table.add_column("accuracy", no_wrap=True)
    table.add_column("seconds", no_wrap=True, justify="right")
    table.add_column("speed-up", no_wrap=True, justify="right")
    table.add_column("marks")
    parts = list(sections(summary_table))
    for title, rows in parts:
        if len(parts) > 1:
            table.add_row(f"[bold]{escape(title)}[/bold]")
        for label, group in rows.groupby("label"):
            table.add_row(f"[bold]{escape(label)}[/bold]")
            for _, row in group.iterrows():
                table.add_row(
                    f"  {row['setting']}",
                    "" if pd.isna(row["accuracy"]) else _short_interval(row),
                    f"{row['time_s']:.3g}",
                    f"{row['speedup']:.2f}",
                    ", ".join(marks(row)),
                )
        table.add_section()
    if len(parts) == 1:
        table.caption = escape(parts[0][0])
    return table


def _short_interval(row: pd.Series) -> str:
    """Writes an accuracy and its interval in per cent, in 17 columns."""
    return f"{row['accuracy']:.1%} ({100 * row['accuracy_low']:.1f}–{100 * row['accuracy_high']:.1f})"
