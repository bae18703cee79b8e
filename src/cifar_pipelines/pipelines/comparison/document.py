"""The report as one document, written as PDF and as HTML."""

from pathlib import Path
from typing import Any

import pandas as pd

from cifar_pipelines.pipelines.comparison.nodes import merged
from cifar_pipelines.report.chapters.laboratory.questions import make_report
from cifar_pipelines.report.document.blocks import Document
from cifar_pipelines.report.document.to_html import to_html
from cifar_pipelines.report.document.to_typst import to_pdf

PLOT, RECORDS = "_plot", "records"


def plot_file(dataset: str) -> str:
    """The name of the file behind a dataset of a plot, as the comparison's report links it."""
    return dataset.removeprefix("comparison_").removesuffix(PLOT) + ".png"


def write_document(
    comparison_report: str,
    comparison_table: pd.DataFrame,
    comparison_left_out: list[str],
    reporting_folder: Path,
    **further: Any,
) -> Document:
    """Makes the report from run records and from what the comparison made of them.

    Args:
        comparison_report: The report in Markdown.
        comparison_table: The table.
        comparison_left_out: Sentences about what is not in the table.
        reporting_folder: The folder with the results of all runs.
        **further: Plots of the comparison, by datasets that end in `_plot`, and folders of run records, by
            datasets that end in `records`.
    """
    plots = {plot_file(name): png for name, png in further.items() if name.endswith(PLOT)}
    folders = [part for name, part in further.items() if name.endswith(RECORDS)]
    return make_report(
        comparison_report,
        comparison_table,
        comparison_left_out,
        merged(folders),
        plots,
        reporting_folder,
    )


def write_files(document: Document) -> tuple[bytes, bytes]:
    """Writes the report as PDF and as HTML."""
    return to_pdf(document), to_html(document).encode()
