"""The answer of a study on one page: the best model, the best setting, why, and what to be careful with."""

import pandas as pd

from cifar_pipelines.records.conclusion import (
    MOST_CAUTIONS,
    NO_CAUTION,
    best_model,
    best_setting,
    cautions,
    measured_everywhere,
)
from cifar_pipelines.records.parts import Data
from cifar_pipelines.records.ranking import fastest_of_each_model
from cifar_pipelines.records.summary import trained
from cifar_pipelines.report.document.blocks import Blocks, Section, Span, Spans, bullets, say, spans, strong
from cifar_pipelines.report.sections.cells import behind
from cifar_pipelines.report.sections.time import why, why_together

IN_FULL, BY_SETTING = "in_full", "by_setting"  # the names by which the answer leads to what it does not say


def answer(rows: pd.DataFrame, data: Data, joined: pd.DataFrame) -> Section:
    """Answers the question in the title of the report, in the sentences that an experiment ends with.

    Args:
        rows: The rows of the study, with the column `records`.
        data: The images or texts of its newest run.
        joined: What `join_applications` returned.
    """
    models = trained(rows)
    if models.empty:
        nothing = "No trained model is among the run records, so there is nothing to rank yet."
        return Section("answer", "The answer", (say(nothing),))
    best = fastest_of_each_model(models).iloc[0]
    first, second = best_model(models), best_setting(models)
    blocks: Blocks = (
        say(strong(first.result), f"{first.rest} ", behind(best)),
        say(strong(second.result), second.rest),
        say(strong("Why: "), _why(models, best["label"], joined)),
        *_cautions(cautions(rows, data)),
    )
    return Section("answer", "The answer", blocks)


def _why(models: pd.DataFrame, label: str, joined: pd.DataFrame) -> str:
    """What was measured that explains the times under the settings or, where it is not known of all models, of the best one."""
    if together := why_together(measured_everywhere(models), joined):
        return _small(together)
    if measured := why(label, models, joined):
        return f"of {label}: {_small(measured)}"
    return f"it is not known where the time of {label} went, because no application of it was read."


def _small(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]


def _cautions(said: list[str]) -> Blocks:
    """A list of cautions, and where all of them are told in full."""
    shown = [spans(strong("Caution: "), f"{words}.") for words in said[:MOST_CAUTIONS]]
    return (bullets([*(shown or [spans(NO_CAUTION)]), _more(len(said) - len(shown))]),)


def _more(left_out: int) -> Spans:
    cautions_too = f", with {left_out} more" if left_out > 0 else ""
    return spans(
        f"The cautions in full{cautions_too}, and all comparisons: ",
        Span("A15", target=f"#{IN_FULL}"),
        "; every model under every setting: ",
        Span("A9", target=f"#{BY_SETTING}"),
        ".",
    )
