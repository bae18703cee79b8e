"""What the report says of models: questions A5 to A7 and A11 to A13."""

import json
from collections.abc import Mapping

import pandas as pd

from cifar_pipelines.records.shelf import Choice
from cifar_pipelines.report.chapters.laboratory.data import run
from cifar_pipelines.report.content import Content, SurveyedClassifier
from cifar_pipelines.report.document.blocks import (
    Block,
    Blocks,
    Section,
    bullets,
    missing,
    say,
    spans,
    strong,
    table,
)
from cifar_pipelines.report.figures import run_figure
from cifar_pipelines.report.references import reference
from cifar_pipelines.report.sections.growth import growth_key
from cifar_pipelines.report.studies import (
    CNN,
    SPARK_ML,
    Study,
    params_of,
    pipeline_of,
    scores_by_class,
    words_for,
)


def survey(content: Content) -> Blocks:
    """A5: what the installed Spark ML offers."""
    if content.survey is None:
        return (missing("The classifiers of the installed Spark ML were not listed.", "kedro classifiers"),)
    return (
        say(
            f"Spark ML {content.survey.pyspark} was asked itself: every class of pyspark.ml.classification "
            "was fitted to tiny tables with two and three classes, and with negative features."
        ),
        table(["classifier", *SurveyedClassifier._fields[1:]], content.survey.classifiers),
    )


def selected_classifiers(content: Content) -> Blocks:
    """A6: which were selected, and why; models of families that no other question is about come last."""
    study = content.study
    command = run(study, f"ingestion,features,{SPARK_ML}")
    chosen: Blocks = (missing("No classifier of Spark ML was trained in this study.", command),)
    if latest := study.latest(SPARK_ML):
        chosen = _reasons_and_parameters(latest)
    others = [family for family in study.families() if family not in (SPARK_ML, CNN)]
    further = [
        Section(
            "other_models", _capitalised(words_for(family)), _reasons_and_parameters(study.latest(family))
        )
        for family in others
    ]
    return (Section("reasons", "", chosen), *further)


def _reasons_and_parameters(latest: list[pd.Series]) -> Blocks:
    """Why each model was chosen, and its parameters, by its newest record."""
    reasons = [
        spans(strong(f"{record['label']}. "), f"{_reason(record)} ", reference([record["number"]]))
        for record in latest
    ]
    rows = [
        [record["label"], record["engine"], _params(params_of(record)), reference([record["number"]])]
        for record in latest
    ]
    return (bullets(reasons), table(["model", "engine", "parameters", "records"], rows))


def metrics(content: Content) -> Blocks:
    """A7: the scores of all models, and the confusion matrix and the ROC curves of the best."""
    study, best = content.study, content.study.best()
    if best is None:
        command = run(study, f"ingestion,features,{SPARK_ML}")
        return (missing("No model was trained in this study.", command),)
    return (
        say(
            "The scores of each model's latest run at its fastest setting; the accuracy comes with its Wilson interval."
        ),
        *content.section("scores", title=""),
        *content.section("accuracy"),
        *_most_accurate(content, best),
        *content.section("pairs"),
    )


def _most_accurate(content: Content, best: pd.Series) -> Blocks:
    label, again = best["label"], run(content.study, pipeline_of(best["family"]))
    plots = {"confusion_matrix": f"Confusion matrix of {label}.", "roc": f"ROC curves of {label}."}
    figures = (run_figure(content.reporting, best, name, caption, again) for name, caption in plots.items())
    named = say(strong(label), f" under {best['setting']} ", reference([best["number"]]))
    scores = ("precision", "recall", "f1", "roc_auc")
    rows = [
        [one.get("class_name"), *(_score(one.get(score)) for score in scores), one.get("support")]
        for one in scores_by_class(best)
    ]
    header = ["class", "precision", "recall", "F1", "ROC AUC", "test images"]
    by_class = (Section("by_class", f"{label} by class", (table(header, rows),)),) if rows else ()
    return (Section("most_accurate", "The most accurate model", (named, *figures)), *by_class)


def network(content: Content) -> Blocks:
    """A11: the network, why it has these layers, and how it learned."""
    study = content.study
    latest = study.latest(CNN)
    if not latest:
        return (missing("No CNN was trained in this study.", run(study, pipeline_of(CNN))),)
    by_network: dict[str, list[pd.Series]] = {}
    for record in latest:
        name = record["model"] if pd.isna(record["network"]) else record["network"]
        by_network.setdefault(name, []).append(record)
    told = [Section("network", name, _network(own)) for name, own in by_network.items()]
    return (*told, Section("learning", "How it learned", content.section("learning")))


def _network(own: list[pd.Series]) -> Blocks:
    """Why a network was chosen, and its layers and recipe by every engine."""
    why = dict.fromkeys(" ".join(record["justification"].split()) or "not stated" for record in own)
    header = ["model", "options", "recipe", "weights", "size [kB]", "records"]
    rows = [
        [
            record["label"],
            *(_params(params_of(record).get(name)) for name in ("options", "recipe")),
            _count(record["parameter_count"]),
            _count(record["model_size_bytes"], 1e-3),
            reference([record["number"]]),
        ]
        for record in own
    ]
    return (*map(say, why), table(header, rows))


def engines(content: Content) -> Blocks:
    """A12: the networks under all settings, and the engines side by side."""
    nothing = missing("No CNN was trained in this study.", run(content.study, pipeline_of(CNN)))
    return content.section("engines", title="") or (nothing,)


def more_images(content: Content) -> Blocks:
    """A13: the choice of the best setting, what more images gave with it, and what was predicted."""
    study = content.study
    choice = next((choice for choice in reversed(content.choices) if is_about(choice, study)), None)
    chosen = _choice(choice, study) if choice else ()
    grown = _grown(content)
    command = f"kedro experiment --grow-to {2 * study.newest['train_size']}"
    if not grown:
        grown = (missing("No network was trained on more images than in the main text.", command),)
    elif not chosen:
        chosen = (missing("No experiment chose the setting for more images.", command),)
    figures = content.figures.get("growth", ())
    return (*chosen, Section("growth", "", (*grown, *figures)), *content.section("forecasts"))


def is_about(choice: Choice, study: Study) -> bool:
    """Whether a choice was made from runs of a study.

    Choices that were stored without the ids of their runs are compared by setting and accuracy, to a millionth: the
    setting alone would take the choice of any study for one of this.
    """
    ids = set(study.records["run_id"])
    cnns = study.records[study.records["family"] == CNN]
    known = set(zip(cnns["setting"], cnns["accuracy"].round(6), strict=True))
    return all(
        ids.issuperset(one.run_ids) if one.run_ids else (one.setting, round(one.accuracy, 6)) in known
        for one in choice.candidates
    )


def _choice(choice: Choice, study: Study) -> Blocks:
    """What an experiment chose, and why."""
    cnns = study.used[study.used["family"] == CNN]
    rows = [
        [
            one.setting,
            f"{one.fit_s:.1f}",
            one.repeats,
            f"{one.accuracy:.1%} ({one.low:.1%} to {one.high:.1%})",
            "chosen" if one.setting == choice.best.setting else None,
            reference(cnns.loc[cnns["setting"] == one.setting, "number"]),
        ]
        for one in choice.candidates
    ]
    header = ["setting", "median fit [s]", "timings", "accuracy", "choice", "records"]
    return (say(strong("The best setting. "), choice.reason), table(header, rows))


def _grown(content: Content) -> Blocks:
    """The part about more images that is about this source, seed, host and cluster; nothing where there is none."""
    section = content.sections.get("growth")
    key = growth_key(content.study.rows.iloc[0])
    blocks: list[Block] = list(section.blocks) if section else []
    if not any(isinstance(block, Section) and block.key == key for block in blocks):
        return ()
    return tuple(block for block in blocks if not isinstance(block, Section) or block.key == key)


def _reason(record: pd.Series) -> str:
    return " ".join(record["justification"].split()) or "The reason is not stated."


def _capitalised(words: str) -> str:
    return words[0].upper() + words[1:]


def _score(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}"


def _count(value: float | None, factor: float = 1) -> str | None:
    return None if pd.isna(value) else f"{value * factor:,.0f}"


def _params(params: object) -> str | None:
    """Writes parameters in one line."""
    if not isinstance(params, Mapping):
        return None if params is None else str(params)
    return ", ".join(
        f"{name} {json.dumps(value) if isinstance(value, dict | list) else value}"
        for name, value in params.items()
    )
