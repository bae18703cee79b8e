"""The section on whether networks learned too little or too much."""

import pandas as pd

from cifar_pipelines.judging.fit import FAILED, RULE, FitVerdict, judge_fit
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.report.document.blocks import Section, say
from cifar_pipelines.report.sections.cells import Columns, behind, table_of

FIT: Columns = {
    "model": "label",
    "setting": "setting",
    "verdict": "verdict",
    "by these numbers": "reason",
    "records": behind,
}


def fit(records: pd.DataFrame) -> Section | None:
    """The verdict on the newest run of every network of a study, with the rule; None where there is none.

    Args:
        records: Its run records, the oldest first.
    """
    networks = records[records["raw"].map(lambda record: bool(record.history and record.data.class_names))]
    if networks.empty:
        return None
    latest = networks.groupby(["label", "setting"], dropna=True).tail(1).sort_values(["label", "setting"])
    if latest.empty:
        return None
    verdicts = [verdict_of(record) for record in latest["raw"]]
    told = latest.assign(
        verdict=[_word(verdict, record) for verdict, record in zip(verdicts, latest["raw"], strict=True)],
        reason=[verdict.reason for verdict in verdicts],
    )
    return Section("fit", "Too little or too much learned", (table_of(told, FIT), say(RULE)))


def verdict_of(record: RunRecord) -> FitVerdict:
    """The verdict on a training; of several phases on the last."""
    last = record.history[-1].phase
    epochs = [row for row in record.history if row.phase == last]
    data = record.data
    validated = data.validation_size or min(record.params.get("validation_images") or data.test_size, data.test_size)
    return judge_fit(epochs, validated, record.chance)


def _word(verdict: FitVerdict, record: RunRecord) -> str:
    """A training that failed names its seed: another one may learn."""
    return f"{verdict.word} (seed {record.data.seed})" if verdict.word == FAILED else verdict.word
