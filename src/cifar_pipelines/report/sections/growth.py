"""The section about what more training images bring."""

import pandas as pd

from cifar_pipelines.common.words import counted
from cifar_pipelines.records.summary import MODEL, marks, trained
from cifar_pipelines.report.document.blocks import Section, bullets, say, spans, strong
from cifar_pipelines.report.sections.cells import Columns, behind, marked, seconds, table_of
from cifar_pipelines.report.sections.ranking import interval

# The fingerprint is not in it: that of the images differs between sizes.
STUDY = ["source", "seed", "test_size", "host_cores", "cluster"]
MEASURED = [*STUDY, *MODEL, "setting"]


def growth(summary: pd.DataFrame) -> Section | None:
    """Compares models with themselves on more training images.

    Only results of the same setting and parameters are compared, in a sub-section per source, seed, test images, host
    and cluster (see `growth_key`). None where nothing was measured with more than one number of training images.
    """
    models = trained(summary).sort_values("latest")
    models = models[models.groupby(MEASURED)["train_size"].transform("nunique") > 1]
    if models.empty:
        return None
    # The same data may have been made twice, with different fingerprints: the newest counts.
    newest = models.drop_duplicates([*MEASURED, "params_digest", "train_size"], keep="last")
    order = ["label", "cores", "executor_cores", "params_digest", "train_size"]
    parts = [_part(_same_labels(rows).sort_values(order)) for _, rows in newest.groupby(STUDY, sort=True)]
    return Section("growth", "More training images", (say(INTRODUCTION), *parts))


def growth_key(row: pd.Series) -> str:
    """The key of the sub-section that a row of the comparison table belongs to."""
    return "growth " + " ".join(str(row[name]) for name in STUDY)


INTRODUCTION = (
    "The same model, parameters and setting with more to learn from, judged on what every title names. Fit time is the fit alone; a "
    "network makes as many epochs, so more images are also more steps. Features that are learned from the training "
    "split are learned from more of it."
)


def _columns(noun: str) -> Columns:
    return {
        "model": "label",
        "setting": "setting",
        f"training {noun}s": "train_size:,d",
        "accuracy": interval,
        "fit time [s]": seconds,
        "marks": marked,
        "records": behind,
    }


def _part(rows: pd.DataFrame) -> Section:
    """The table and the sentences of one source, seed, host and cluster."""
    groups = rows.groupby([*MODEL, "setting"], sort=False)
    alike = rows.groupby([*MODEL, "setting", "params_digest"])
    same = rows[alike["train_size"].transform("nunique") > 1]
    study = rows.iloc[0]
    # Validation images are a share of the training images, so their number differs within a part.
    judged = counted(study["test_size"], study["judged_on"]) if study["test_size"] else f"{study['judged_on']}s"
    where = "embedded cluster" if study["cluster"] == "embedded" else f"cluster {study['cluster']}"
    title = (
        f"{study['source'][0].upper()}{study['source'][1:]}, seed {study['seed']}, {judged}, "
        f"host with {counted(study['host_cores'], 'core')}, {where}"
    )
    sentences = bullets(
        spans(strong(f"{group['label'].iloc[0]}, {group['setting'].iloc[0]}."), f" {' '.join(_gains(group))}")
        for _, group in groups
    )
    table = () if same.empty else (table_of(same, _columns(study["content"])),)
    return Section(growth_key(study), title, (*table, sentences))


def _gains(rows: pd.DataFrame) -> list[str]:
    """Compares one model under one setting with itself, by parameters."""
    sentences = [
        _gain(group.iloc[0], larger)
        for _, group in rows.groupby("params_digest", sort=False)
        for _, larger in group.iloc[1:].iterrows()
    ]
    if sentences:
        return sentences
    sizes = " and ".join(f"{size:,}" for size in sorted(rows["train_size"].unique()))
    return [f"Trained with different parameters on {sizes} {rows['content'].iloc[0]}s, so not compared."]


def _gain(less: pd.Series, more: pd.Series) -> str:
    """Says what the additional images brought and cost."""
    points = 100 * (more["accuracy"] - less["accuracy"])
    changed = f"accuracy {abs(points):.1f} points {'higher' if points > 0 else 'lower'}"
    if abs(points) < 0.05:
        changed = "the same accuracy"
    overlap = more["accuracy_low"] <= less["accuracy_high"] and less["accuracy_low"] <= more["accuracy_high"]
    shown = (
        f"The intervals overlap, so a difference is not shown with {counted(int(more['test_images']), more['judged_on'])}."
        if overlap
        else "The intervals do not overlap."
    )
    doubts = ", ".join(sorted({mark for row in (less, more) for mark in marks(row)} - {"one timing"}))
    return (
        f"{more['train_size']:,} instead of {less['train_size']:,} {more['content']}s: {changed}, "
        f"{more['time_s'] / less['time_s']:.2f} times the fit time"
        f"{f' (marked: {doubts})' if doubts else ''}. {shown}"
    )


def _same_labels(rows: pd.DataFrame) -> pd.DataFrame:
    """Gives a model the same label for every size: the longest, since a label is as long as its section needs."""
    longest = rows.groupby(MODEL)["label"].transform(lambda labels: max(labels, key=len))
    return rows.assign(label=longest)
