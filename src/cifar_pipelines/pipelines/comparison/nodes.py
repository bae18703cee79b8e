"""From run records to the comparison and its report."""

from collections.abc import Callable, Iterable, Mapping

import pandas as pd

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.records.columns import records_to_table
from cifar_pipelines.records.histories import histories_table
from cifar_pipelines.records.shelf import read_records
from cifar_pipelines.records.speedup import add_scaling
from cifar_pipelines.records.summary import main_study, of_section, summarise
from cifar_pipelines.report.chapters.every_study import tell_every_study
from cifar_pipelines.report.chapters.laboratory.questions import answer_questions
from cifar_pipelines.report.content import Content
from cifar_pipelines.report.document.to_html import to_html
from cifar_pipelines.report.document.to_markdown import to_markdown
from cifar_pipelines.report.document.to_typst import to_pdf

HOW_TO_MAKE_RECORDS = "kedro run --pipelines ingestion,features,spark_ml --env exec_2x1"
TO_PROJECT = "../../../"  # from the folder of report.md, for its links to the documentation


def compare_runs(
    *run_records: Mapping[str, Callable[[], dict]],
) -> tuple[pd.DataFrame, pd.DataFrame, list[str], pd.DataFrame]:
    """Sums up all runs.

    Args:
        *run_records: Functions that load a run record, by record name.

    Returns:
        One row per data set, model and setting, with scores, times and scaling; one row per epoch of the
        latest run of every network and setting; a sentence for everything left out; and the table of
        `records_to_table` with the record itself in the column `raw`.

    Raises:
        UserError: There is no run record, or none that can be compared.
    """
    records = _merged(run_records)
    if not records:
        raise UserError(
            "There are no run records, so there is nothing to compare. A record is written for every "
            f"trained model. Make some with: {HOW_TO_MAKE_RECORDS}"
        )
    read, left_out = read_records(records)
    table = records_to_table(read)[0]
    if table.empty:
        raise UserError(
            f"None of the run records ({len(records):,}) can be compared. {' '.join(left_out[:3])} "
            f"Make new ones with: {HOW_TO_MAKE_RECORDS}"
        )
    summary, older = summarise(table)
    with_raw = table.assign(raw=table["record"].map(read))
    return add_scaling(summary), histories_table(table, summary), left_out + older, with_raw


def _merged(run_records: Iterable[Mapping[str, Callable[[], dict]]]) -> dict[str, Callable[[], dict]]:
    """Puts folders of run records together; two folders may use the same name."""
    records: dict[str, Callable[[], dict]] = {}
    for place, part in enumerate(run_records, start=1):
        for name, load in part.items():
            records[f"{name} (folder {place})" if name in records else name] = load
    return records


def select_main_study(table: pd.DataFrame, histories: pd.DataFrame, components: pd.DataFrame) -> list[pd.DataFrame]:
    """Selects what plots show: of each table the rows of the study with the most measurements.

    Args:
        table: The comparison table.
        histories: Its learning curves.
        components: What `join_applications` returned.
    """
    study = main_study(table)
    return [study, *(of_section(rows, study) for rows in (histories, components))]


def write_report(content: Content) -> str:
    """Writes all that the comparison found, study by study, as Markdown."""
    return to_markdown(tell_every_study(content), root=TO_PROJECT)


def write_files(content: Content) -> tuple[bytes, bytes]:
    """Writes the answers to the laboratory's questions as PDF and as HTML."""
    document = answer_questions(content)
    return to_pdf(document), to_html(document).encode()
