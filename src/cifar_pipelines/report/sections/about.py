"""What the report says of itself: which data and versions, what was left out, what words mean, where numbers come from."""

from collections.abc import Sequence

import pandas as pd

from cifar_pipelines.common.places import place
from cifar_pipelines.common.words import counted
from cifar_pipelines.report.document.blocks import (
    Blocks,
    Section,
    Span,
    Spans,
    Table,
    Words,
    bullets,
    emphasis,
    say,
    spans,
    table,
)
from cifar_pipelines.report.sections.cells import Columns, name_of, table_of


def identity(rows: pd.DataFrame) -> Table:
    """What the results of a study have in common."""
    newest = rows.sort_values("latest").iloc[-1]
    columns = ["source", "fingerprint", "train_size", "judged_size", "seed", "host_cores", "cluster"]
    sizes = (f"training {newest['content']}s", f"{newest['judged_on']}s")
    names = ("data source", "fingerprint", *sizes, "seed", "host cores", "cluster")
    return table(["", ""], [(name, newest[column]) for name, column in zip(names, columns, strict=True)])


def versions(rows: pd.DataFrame) -> Section:
    """The versions behind a study, and whether they changed."""
    newest = rows.sort_values("latest").iloc[-1]
    revision = "–" if pd.isna(newest["git_revision"]) else newest["git_revision"]
    run = newest["run_ids"].split()[-1]
    blocks: Blocks = (say(f"Of the newest run ({run}): {newest['versions']}; code revision {revision}."),)
    if (n_sets := rows["versions"].nunique()) > 1:
        changed = (
            f"The runs above were made with {n_sets} different sets of versions, so a difference between them may come "
            "from the versions."
        )
        blocks += (say(changed),)
    return Section("versions", "Versions", blocks)


def left_out(sentences: Sequence[str]) -> Section:
    """The records and applications that are not in the tables, with the reason."""
    nothing = say("Nothing: every run record is in the tables.")
    return Section("left_out", "What was left out, and why", (bullets(sentences) if sentences else nothing,))


def reading() -> Section:
    """What the words in tables and plots mean."""
    words = (spans(emphasis(word), " ", meaning) for word, meaning in GLOSSARY.items())
    return Section("reading", "How to read the tables", (bullets(words),))


def sources(records: pd.DataFrame) -> Section:
    """Every run record with its number."""
    used, newest = int(records["label"].notna().sum()), records["created"].max()
    introduction = say(
        f"This was made from {counted(len(records), 'run record')}, {used:,} of them in the tables; the newest is of "
        f"{newest:%Y-%m-%d %H:%M} UTC. Every number in a table or a sentence comes from the run records that are named beside it. A record is a "
        f"JSON file below {place('run_records')}; it holds the numbers, the parameters, the setting, the versions and the "
        "revision of the code. Records that are in no table have older parameters than others of the same model."
    )
    return Section("sources", "Where every number comes from", (introduction, table_of(records, SOURCES)))


def _named(record: pd.Series) -> Spans:
    name = name_of(*record["records"])
    return (Span(name, anchor=name),)


SOURCES: Columns = {
    "record": _named,
    "run": "run_id",
    "model": lambda record: record["model"] if pd.isna(record["label"]) else record["label"],
    "setting": "setting",
    "in the tables": lambda record: "no" if pd.isna(record["label"]) else "yes",
    "file": lambda record: f"{record['record']}.json",
}
GLOSSARY: dict[str, Words] = {
    "Setting exec_MxC": "spark.cores.max = M cores in all, spark.executor.cores = C, so M/C executors.",
    "Accuracy": spans(
        "comes with its Wilson interval; precision, recall and F1 are averaged over classes. Models are ranked by "
        "paired tests where possible: see ",
        Span("docs/statistics.md", target="docs/statistics.md"),
        ".",
    ),
    "Calibration error": "is how far the probability of the predicted class is from the share of right predictions "
    "(15 bins; 0 is perfect).",
    "Time": "is the median over all repeats of all runs, with minimum and maximum. It is the fit alone, or the extraction "
    "alone: start-up, reading and caching are timed apart. Of a network the fit contains all that its engine does: "
    "starting workers, reading images, training, validation and checkpoints.",
    "Deviation": "is the median absolute deviation of these times.",
    "Features": "is what extraction took under the same setting, where that was measured.",
    "Pareto front": "joins the models and settings that no other one beats in both respects, such as accuracy and time.",
    "Speed-up": "is against the smallest measured setting of the same model.",
    "Efficiency": "is the speed-up divided by the growth in cores.",
    "Utilisation": "is CPU time divided by cores x time. The CPU time is that of Spark's JVM task threads and, for "
    "networks and features, that of the Python workers as well. Of a learner on a stream it is not known, because all learners share "
    "one query.",
    "Oversubscribed": "means that the setting uses more cores than the host has.",
    "Busy host": "means that other programs had more than 15 % of the host's CPU time while the clock ran.",
    "One timing": "means no repeat, so the spread is unknown.",
    "Resumed": "means that a training went on from a checkpoint in a later run.",
    "Restarted": "means that it went on from a checkpoint after a worker was lost. Both times are put together from "
    "parts; plots mark them with a star.",
    "Prediction time": "by image or text is that of all that were judged, on the executors, divided by their number: a model "
    "that reads features has their extraction beside it.",
    "Learning curves": "show the validation accuracy of the latest run of each network and setting, on validation "
    "images that were cut from training or, where none were, on the first test images, by which nothing is chosen; their time is training and validation alone.",
    "Where the time went": spans(
        "has its components explained in ",
        Span("docs/where_the_time_goes.md", target="docs/where_the_time_goes.md"),
        ".",
    ),
    "Records": "such as [r12] are the run records behind a row. The last section lists them; each is a JSON file from "
    "which its numbers can be checked.",
}
