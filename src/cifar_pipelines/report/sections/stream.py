"""The section on learners that learned from a stream: how fast, how late, and what they were worth before and after."""

import pandas as pd

from cifar_pipelines.report.document.blocks import Section, say
from cifar_pipelines.report.sections.cells import Columns, behind, table_of

INTRODUCTION = (
    "Every image is predicted before it is learned, which is the accuracy while learning; the one after it is that of the images that "
    "models are judged on, when the stream had ended. Late is an image by the seconds from when it was due to the commit of what it taught. Side by side is how "
    "many times longer the learners would have taken one after the other, without what it costs to start their tasks: 1 for those "
    "on the driver."
)
STREAMS: Columns = {
    "model": "label",
    "setting": "setting",
    "learners": "learners",
    "on": "engine",
    "images": "images:,d",
    "of them stored": "stored:,d",
    "images/s": "images_per_s:,.0f",
    "late, p50 [s]": "late_p50_s:seconds",
    "late, p99 [s]": "late_p99_s:seconds",
    "waiting": "waiting",
    "side by side": "side_by_side:.2f",
    "while learning": "prequential_accuracy:.1%",
    "log loss": "prequential_log_loss:.2f",
    "after it": "after:.1%",
    "records": behind,
}


def stream(records: pd.DataFrame) -> Section | None:
    """The newest run of every learner of a study under every setting and engine; None where there is none.

    Args:
        records: Its run records, the oldest first.
    """
    learned = records[records["raw"].map(lambda record: record.stream is not None)]
    if learned.empty:
        return None
    rows = pd.DataFrame(
        [
            {name: run[name] for name in ("label", "setting", "records")}
            | vars(run["raw"].stream)
            | {"after": run["raw"].metrics["accuracy"]["value"]}
            for _, run in learned.iterrows()
        ]
    )
    latest = rows.groupby(["label", "setting", "engine"]).tail(1).sort_values(["label", "setting", "engine"])
    return Section("stream", "Learning from a stream", (table_of(latest, STREAMS), say(INTRODUCTION)))
