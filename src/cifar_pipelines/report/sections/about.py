"""What the report says of itself: which data and versions, what was left out, what words mean, where numbers come from."""

from collections.abc import Sequence

import pandas as pd

from cifar_pipelines.report.document.blocks import (
    Section,
    Span,
    Spans,
    Table,
    bullets,
    code,
    emphasis,
    file_link,
    say,
    spans,
    table,
)
from cifar_pipelines.report.references import name_of

RECORDS = "data/08_reporting/run_records"


def identity(rows: pd.DataFrame) -> Table:
    """What the results of a study have in common."""
    newest = rows.sort_values("latest").iloc[-1]
    columns = ["source", "fingerprint", "train_size", "test_size", "seed", "host_cores", "cluster"]
    names = [
        *("data source", "fingerprint", "training images", "test images", "seed", "host cores", "cluster")
    ]
    return table(["", ""], [(name, newest[column]) for name, column in zip(names, columns, strict=True)])


def versions(rows: pd.DataFrame) -> Section:
    """The versions behind a study, and whether they changed."""
    newest = rows.sort_values("latest").iloc[-1]
    revision = "–" if pd.isna(newest["git_revision"]) else newest["git_revision"]
    blocks = [
        say(
            f"Of the newest run ({newest['run_ids'].split()[-1]}): {newest['versions']}; code revision {revision}."
        )
    ]
    if (n_sets := rows["versions"].nunique()) > 1:
        blocks.append(
            say(
                f"The runs above were made with {n_sets} different sets of versions, so a difference between them may "
                "come from the versions."
            )
        )
    return Section("versions", "Versions", tuple(blocks))


def left_out(sentences: Sequence[str]) -> Section:
    """The records and applications that are not in the tables, with the reason."""
    nothing = say("Nothing: every run record is in the tables.")
    return Section("left_out", "What was left out, and why", (bullets(sentences) if sentences else nothing,))


def reading() -> Section:
    """What the words in tables and plots mean."""
    return Section("reading", "How to read the tables", (bullets(HOW_TO_READ),))


def sources(records: pd.DataFrame) -> Section:
    """Every run record with its number.

    Args:
        records: All numbered run records.
    """
    introduction = say(
        "Every number in a table or a sentence comes from the run records that are named beside it. A record is a "
        f"JSON file below {RECORDS}; it holds the numbers, the parameters, the setting, the versions and the "
        "revision of the code. Records that are in no table have older parameters than others of the same model."
    )
    header = ["record", "run", "model", "setting", "in the tables", "file"]
    listed = table(header, [_source(row) for _, row in records.iterrows()])
    return Section("sources", "Where every number comes from", (introduction, listed))


def _source(record: pd.Series) -> list[object]:
    name, used = name_of(record["number"]), pd.notna(record["label"])
    return [
        (Span(name, anchor=name),),
        record["run_id"],
        record["label"] if used else record["model"],
        record["setting"],
        "yes" if used else "no",
        f"{record['record']}.json",
    ]


HOW_TO_READ: tuple[Spans, ...] = (
    spans(
        emphasis("Setting"), " ", code("exec_MxC"), ": ", code("spark.cores.max"), " = M cores in all, ",
        code("spark.executor.cores"), " = C, so M/C executors.",
    ),
    spans(
        emphasis("Accuracy"), " comes with its Wilson interval; precision, recall and F1 are averaged over classes. ",
        emphasis("Calibration error"), " is how far the probability of the predicted class is from the share of right "
        "predictions (15 bins; 0 is perfect). Models are ranked by paired tests where possible: see ",
        file_link("docs/statistics.md"), ".",
    ),
    spans(
        emphasis("Time"), " is the median over all repeats of all runs, with minimum and maximum, ",
        emphasis("deviation"), " their median absolute deviation. It is the fit alone, or the extraction alone: "
        "start-up, reading and caching are timed apart. Of a network the fit contains all that its engine does: "
        "starting workers, reading images, training, validation and checkpoints. ", emphasis("Features"),
        " is what extraction took under the same setting, where that was measured.",
    ),
    spans(
        emphasis("Speed-up"), " is against the smallest measured setting of the same model; ", emphasis("efficiency"),
        " is the speed-up divided by the growth in cores. ", emphasis("Utilisation"), " is CPU time divided by cores x "
        "time. The CPU time is that of Spark's JVM task threads and, for networks and features, that of the Python "
        "workers as well.",
    ),
    spans(
        emphasis("Oversubscribed"), ": the setting uses more cores than the host has. ", emphasis("Busy host"),
        ": other programs had more than 15 % of the host's CPU time while the clock ran. ", emphasis("One timing"),
        ": no repeat, so the spread is unknown. ", emphasis("Resumed"), ": a training went on from a checkpoint in a "
        "later run. ", emphasis("Restarted"), ": it went on from a checkpoint after a worker was lost. Both times are "
        "put together from parts; plots mark them with a star.",
    ),
    spans(
        emphasis("Learning curves"), " show the validation accuracy of the latest run of each network and setting, on "
        "the first test images; its time is training and validation alone.",
    ),
    spans(
        emphasis("Where the time went"), ": ", file_link("docs/where_the_time_goes.md"), " explains every component.",
    ),
    spans(
        emphasis("Records"), " such as [r12] are the run records behind a row; ", emphasis("Where every number comes "
        "from"), " lists them. Each is a JSON file from which its numbers can be checked.",
    ),
)  # fmt: skip
