"""The answer of a study on one page: the best model, the best setting, why, and what to be careful with."""

import pandas as pd

from cifar_pipelines.records.ranking import fastest_of_each_model
from cifar_pipelines.records.summary import trained
from cifar_pipelines.report.document.blocks import Section, Spans, bullets, spans, strong
from cifar_pipelines.report.sections.cells import behind
from cifar_pipelines.report.sections.time import why
from cifar_pipelines.report.sections.verdict import ACCURACY, CAUTIONS, Topic, fastest_of_model, fastest_over_all


def answer(rows: pd.DataFrame, verdict: tuple[Topic, ...], joined: pd.DataFrame) -> Section:
    """Answers the question in the title of the report.

    Args:
        rows: The rows of the study, with the column `records`.
        verdict: What its measurements say.
        joined: What `join_applications` returned.
    """
    said = {topic.key: topic.text for topic in verdict}
    models = trained(rows)
    items = [spans(strong("Best model. "), said[ACCURACY])]
    if not models.empty:
        best = fastest_of_each_model(models).iloc[0]
        items[0] = spans(*items[0], " ", behind(best))
        items += [_setting(models, best["label"]), _why(rows, best["label"], joined)]
        items.append(spans(strong("Cautions. "), said[CAUTIONS]))
    return Section("answer", "The answer", (bullets(items),))


def _setting(models: pd.DataFrame, label: str) -> Spans:
    """Which setting is the best for the most accurate model, and for all classifiers together."""
    own = models[models["label"] == label]
    settings = sorted(models["setting"].unique())
    if len(settings) == 1:
        return spans(strong("Best setting. "), f"Only {settings[0]} was measured, so none can be called the best.")
    return spans(strong("Best setting. "), f"For {label}: {_small(fastest_of_model(own))} {fastest_over_all(models)}")


def _small(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]


def _why(rows: pd.DataFrame, label: str, joined: pd.DataFrame) -> Spans:
    """What was measured that explains the times of the most accurate model."""
    measured = why(label, rows, joined)
    return spans(
        strong("Why. "), measured or f"It is not known where the time of {label} went: no application of it was read."
    )
