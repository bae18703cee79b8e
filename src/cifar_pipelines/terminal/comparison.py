"""The comparison, as tables for the terminal."""

import pandas as pd
from rich import box
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from cifar_pipelines.common.words import seconds
from cifar_pipelines.records.summary import marks, sections

# Longer names are folded, so that all columns fit into 80.
NAME_WIDTH = 30


def terminal_summary(summary_table: pd.DataFrame) -> Group:
    """Lays out what `compare_runs` returned: a table of model x setting for each section."""
    width = min(NAME_WIDTH, summary_table["label"].str.len().max())
    return Group(*(_table(title, rows, width) for title, rows in sections(summary_table)))


def _table(title: str, rows: pd.DataFrame, width: int) -> Table:
    """Lays out one section; all sections have the same columns."""
    table = Table(
        title=f"Models and parallelism settings: {escape(title)}\n",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("model, setting", overflow="fold", width=width)
    table.add_column("accuracy", no_wrap=True, width=17)
    table.add_column("seconds", no_wrap=True, justify="right", width=7)
    table.add_column("speed-up", no_wrap=True, justify="right", width=8)
    table.add_column("marks", min_width=14)
    for label, group in rows.groupby("label"):
        table.add_row(f"[bold]{escape(label)}[/bold]")
        for _, row in group.iterrows():
            table.add_row(
                f"  {row['setting']}",
                "" if pd.isna(row["accuracy"]) else _short_interval(row),
                seconds(row["time_s"]),
                f"{row['speedup']:.2f}",
                ", ".join(marks(row)),
            )
    table.add_row()
    return table


def _short_interval(row: pd.Series) -> str:
    """Writes an accuracy and its interval in per cent, in 17 columns at most."""
    accuracy, low, high = (_percent(row[name]) for name in ("accuracy", "accuracy_low", "accuracy_high"))
    return f"{accuracy}% ({low}–{high})"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}".replace("100.0", "100")
