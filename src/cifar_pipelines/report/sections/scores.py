"""The sections on how good the models of a study are, and why they were chosen."""

from collections.abc import Callable

import pandas as pd

from cifar_pipelines.common.words import some
from cifar_pipelines.records.ranking import fastest_of_each_model
from cifar_pipelines.records.run_record import NO_FEATURES
from cifar_pipelines.report.author import Author
from cifar_pipelines.report.document.blocks import Blocks, Section, bullets, say, spans, strong
from cifar_pipelines.report.sections.cells import Columns, behind, pair, reference, scaled, table_of
from cifar_pipelines.report.sections.ranking import interval, listed, scored


def scores(models: pd.DataFrame, records: pd.DataFrame) -> Section:
    """All scores of the latest run of each trained model of a study at its fastest setting.

    Args:
        models: The study's trained models.
        records: Its run records, the oldest first; they were judged on the same.
    """
    latest = fastest_of_each_model(models)
    blocks = (table_of(latest, SCORES), *_inputs(latest), *_absent_classes(records))
    return Section("scores", "Scores of each model at its fastest setting", blocks)


def _inputs(latest: pd.DataFrame) -> Blocks:
    """Says what each model saw of an image or a text."""
    by_input = latest.groupby("extractor_identity", sort=False)["label"].agg(list)
    if list(by_input.index) == [NO_FEATURES]:
        return ()
    noun = latest.iloc[0]["content"]
    said = ((f"{noun}s" if seen == NO_FEATURES else seen, labels) for seen, labels in by_input.items())
    return (bullets(spans(strong(f"Input of {listed(labels)}: "), f"{seen}.") for seen, labels in said),)


def _absent_classes(records: pd.DataFrame) -> Blocks:
    """Says which classes have nothing that is judged, and what that does to the averages; nothing where all have some."""
    classes = next(filter(None, (record.score("per_class") for record in records["raw"].iloc[::-1])), [])
    absent = [str(one.get("class_name")) for one in classes if one.get("support") == 0]
    if not absent:
        return ()
    words = (
        f"{len(absent):,} of {len(classes):,}: {some(absent, 5, 'class', 'classes')}. Such a class counts as 0 in the macro "
        "averages of precision, recall and F1, which are lower for it, and has no ROC curve, so that their mean is missing. "
        "Accuracy and weighted averages do not depend on it."
    )
    return (say(strong(f"Classes without {records.iloc[-1]['judged_on']}s: "), words),)


def reasons(models: pd.DataFrame, author: Author) -> Section:
    """Why each model was chosen, and whose words that are; models with the same reasons share a line."""
    latest = fastest_of_each_model(models)
    why = pd.Series([author.reason(row) for _, row in latest.iterrows()], index=latest.index, dtype=str)
    items = []
    for words, rows in latest.groupby(why, sort=False):
        named = [spans(strong(row["label"]), f" by {row['engine']}") for _, row in rows.iterrows()]
        names = [part for name in named for part in (", ", name)][1:]
        items.append(spans(*names, f": {words}"))
    return Section("reasons", "Why these models", (bullets(items),))


def accuracy(models: pd.DataFrame) -> Section:
    """Accuracy and size of every model under every setting."""
    return Section("accuracy", "Accuracy by model and setting", (table_of(models, ACCURACY),))


def _averages(score: str) -> Callable[[pd.Series], str | None]:
    """Returns what writes the macro and the weighted average of a score."""
    return pair(f"{score}_macro:.3f", f"{score}_weighted:.3f")


SCORES: Columns = {
    "model": "label",
    "accuracy": scored,
    "precision macro / weighted": _averages("precision"),
    "recall macro / weighted": _averages("recall"),
    "F1 macro / weighted": _averages("f1"),
    "log loss": "log_loss:.3f",
    "calibration error": "calibration_error:.3f",
    "ROC AUC": "roc_auc:.3f",
    "probabilities": "probability_source",
    "records": lambda row: reference(row["records"][-1:]),  # the scores are those of the latest run
}
ACCURACY: Columns = {
    "model": "label",
    "setting": "setting",
    "accuracy": interval,
    "F1 macro": "f1_macro:.3f",
    "log loss": "log_loss:.3f",
    "parameters": "parameter_count:,.0f",
    "size [kB]": lambda row: scaled(row["model_size_bytes"], 1e-3),
    "runs": "runs",
    "records": behind,
}
