"""From run records to the comparison: a table, plots and a report."""

from collections.abc import Callable, Iterable, Mapping

import pandas as pd

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.records.columns import records_to_table
from cifar_pipelines.records.histories import histories_table
from cifar_pipelines.records.speedup import add_scaling
from cifar_pipelines.records.summary import sections, summarise
from cifar_pipelines.report.sections.forecasts import predictions_part
from cifar_pipelines.report.sections.growth import growth_part
from cifar_pipelines.report.sections.scores import report_section

HOW_TO_MAKE_RECORDS = "kedro run --pipelines ingestion,features,spark_ml --env exec_2x1"
TITLE = "Which model and which parallelism setting did best, and why"


def compare_runs(
    *run_records: Mapping[str, Callable[[], dict]],
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Sums up all runs.

    Args:
        *run_records: Functions that load a run record, by record name.

    Returns:
        One row per data set, model and setting, with scores, times and scaling; one row per epoch of the
        latest run of every network and setting; and a sentence for everything left out.

    Raises:
        UserError: There is no run record, or none that can be compared.
    """
    records = merged(run_records)
    if not records:
        raise UserError(
            "There are no run records, so there is nothing to compare. A record is written for every "
            f"trained model. Make some with: {HOW_TO_MAKE_RECORDS}"
        )
    table, left_out = records_to_table(records)
    if table.empty:
        raise UserError(
            f"None of the {len(records)} run records can be compared. {' '.join(left_out[:3])} "
            f"Make new ones with: {HOW_TO_MAKE_RECORDS}"
        )
    summary, older = summarise(table)
    return add_scaling(summary), histories_table(table, summary), left_out + older


def merged(run_records: Iterable[Mapping[str, Callable[[], dict]]]) -> dict[str, Callable[[], dict]]:
    """Puts folders of run records together; two folders may use the same name."""
    records: dict[str, Callable[[], dict]] = {}
    for place, part in enumerate(run_records, start=1):
        for name, load in part.items():
            records[f"{name} (folder {place})" if name in records else name] = load
    return records


def write_report(
    comparison_table: pd.DataFrame,
    left_out: list[str],
    predictions: pd.DataFrame | None = None,
    components: pd.DataFrame | None = None,
    applications_left_out: list[str] | None = None,
) -> str:
    """Writes the comparison report.

    Args:
        comparison_table: What `compare_runs` returned.
        left_out: Sentences about what is not in the table.
        predictions: What `check_predictions` returned; None for no such part.
        components: Where the time went, by model and setting; None if nothing was looked up.
        applications_left_out: Sentences about applications that cannot be read.

    Returns:
        Markdown; plots are linked relative to the report.
    """
    parts = list(sections(comparison_table))
    text = [f"# {TITLE}"]
    if len(parts) > 1:
        text.append(
            f"These are {len(parts)} separate studies: they differ in data, sizes, seed, host or cluster. "
            "No ranking mixes them."
        )
    text += [report_section(title, rows, comparison_table, components) for title, rows in parts]
    left_out = [*left_out, *(applications_left_out or [])]
    text += filter(None, [growth_part(comparison_table)])
    if predictions is not None:
        text += filter(None, [predictions_part(predictions)])
    text += [
        "## Plots",
        "\n\n".join(f"![{name}]({file})" for name, file in PLOTS.items()),
        "## What was left out, and why",
        "\n".join(f"- {sentence}" for sentence in left_out) or "Nothing: every run record is in the tables.",
        "## Where parallelism is used",
        f"Every place is marked in the code and listed in [docs/parallelism.md]({PARALLELISM_DOCUMENT}).",
        "## How to read this",
        HOW_TO_READ,
    ]
    return "\n\n".join(text) + "\n"


# Relative to the report; conf/base/catalog_comparison.yml saves them there.
PLOTS = {
    "Accuracy against fit time": "accuracy_time.png",
    "Time by setting": "time_by_setting.png",
    "Speed-up and efficiency": "speedup.png",
    "Resource use": "resources.png",
    "Learning curves": "learning_curves.png",
    "Where the time went": "components.png",
    "Cores over time, in the latest application": "timeline.png",
}
PARALLELISM_DOCUMENT = "../../../docs/parallelism.md"
HOW_TO_READ = """\
- *Setting* `exec_MxC`: `spark.cores.max` = M cores in all, `spark.executor.cores` = C, so M/C executors.
- *Accuracy* comes with its Wilson interval; precision, recall and F1 are averaged over classes. *Calibration
  error* is how far the probability of the predicted class is from the share of right predictions (15 bins; 0 is
  perfect). Models are ranked by paired tests where possible: see [docs/statistics.md](../../../docs/statistics.md).
- *Time* is the median over all repeats of all runs, with minimum and maximum, *deviation* their median absolute
  deviation. It is the fit alone, or the extraction alone: start-up, reading and caching are timed apart. Of a
  network the fit contains all that its engine does: starting workers, reading images, training, validation and
  checkpoints. *Features* is what extraction took under the same setting, where that was measured.
- *Speed-up* is against the smallest measured setting of the same model; *efficiency* is the speed-up
  divided by the growth in cores. *Utilisation* is CPU time divided by cores x time. The CPU time is that of
  Spark's JVM task threads and, for networks and features, that of the Python workers as well.
- *Oversubscribed*: the setting uses more cores than the host has. *Busy host*: other programs
  had more than 15 % of the host's CPU time while the clock ran. *One timing*: no repeat, so the spread is unknown.
  *Resumed*: a training went on from a checkpoint in a later run. *Restarted*: it went on from a checkpoint
  after a worker was lost. Both times are put together from parts; plots mark them with a star.
- *Learning curves* show the validation accuracy of the latest run of each network and setting, on the first
  test images; its time is training and validation alone.
- *Where the time went*: [docs/where_the_time_goes.md](../../../docs/where_the_time_goes.md) explains every component.
- *Run records*: the ids of the runs behind a row; each is a JSON file from which its numbers can be checked."""
