"""The section on the phases of transferred networks: what each trained, what it cost, and what stored features saved."""

import pandas as pd

from cifar_pipelines.common.words import in_seconds
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.report.document.blocks import Section, bullets, say, spans, strong
from cifar_pipelines.report.sections.cells import Columns, behind, table_of

INTRODUCTION = (
    "Every phase is a training of its own, from the weights that the one before it handed on. Validation accuracy is that of "
    "the epoch that was handed on."
)
PHASES: Columns = {
    "model": "label",
    "setting": "setting",
    "phase": "phase",
    "trains": "train",
    "on": "inputs",
    "parameters": "trained_parameters:,d",
    "epochs": "epochs",
    "time [s]": "seconds:seconds",
    "validation accuracy": "validation_accuracy:.1%",
    "records": behind,
}


def phases(records: pd.DataFrame) -> Section | None:
    """The phases of the newest run of every transferred network of a study; None where there is none.

    Args:
        records: Its run records, the oldest first.
    """
    transferred = records[records["raw"].map(lambda record: bool(record.phases))]
    if transferred.empty:
        return None
    latest = transferred.groupby(["label", "setting"], dropna=True).tail(1).sort_values(["label", "setting"])
    rows = [
        {"label": run["label"], "setting": run["setting"], "records": run["records"], **vars(phase)}
        for _, run in latest.iterrows()
        for phase in run["raw"].phases
    ]
    saved = bullets(
        spans(strong(f"{run['label']}, {run['setting']}."), f" {_saved(run['raw'])}")
        for _, run in latest.iterrows()
        if run["raw"].cache
    )
    return Section(
        "phases", "Phases of transferred networks", (table_of(pd.DataFrame(rows), PHASES), say(INTRODUCTION), saved)
    )


def _saved(record: RunRecord) -> str:
    """What storing features cost, and what it saved the phases on them."""
    cache, on_cache = record.cache, [phase for phase in record.phases if phase.on_cache]
    views = f"{cache.views} views of " if cache.views > 1 else ""
    made = "were there already, from" if cache.reused else "took"
    noun = record.data.noun
    said = f"Stored features of {views}{cache.images:,} {noun}s {made} {in_seconds(cache.extract_s)} ({cache.images_per_s:.0f} a second)."
    if cache.truncated:
        said += f" Of these texts {cache.truncated / cache.images:.1%} are longer than the network sees, and their ends were cut off."
    if cache.head_start_s is not None:
        said += f" The head was started from them in {in_seconds(cache.head_start_s)}."
    if not on_cache:
        return said
    took, epochs = sum(phase.seconds for phase in on_cache), sum(phase.epochs for phase in on_cache)
    return (
        f"{said} {epochs} epochs on them took {in_seconds(took)}; asking the frozen network in every epoch would have taken "
        f"{in_seconds(cache.saved_s)} more."
    )
