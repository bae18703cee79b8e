"""What the report says of models: questions A5 to A7 and A11 to A13."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from cifar_pipelines.common.contents import TEXT
from cifar_pipelines.common.words import seconds
from cifar_pipelines.families import words_for
from cifar_pipelines.judging.metrics import confusions
from cifar_pipelines.records.choice import Choice
from cifar_pipelines.records.ranking import fastest_of_each_model
from cifar_pipelines.records.summary import trained
from cifar_pipelines.report.author import WHOSE_WORDS, Author
from cifar_pipelines.report.chapters.laboratory.transferred import mention_transferred
from cifar_pipelines.report.commands import grow, run, run_again
from cifar_pipelines.report.content import SURVEYED, Content
from cifar_pipelines.report.document.blocks import Block, Blocks, Section, bullets, missing, say, spans, strong, table
from cifar_pipelines.report.figures import run_figure
from cifar_pipelines.report.sections.cells import Columns, behind, scaled, table_of
from cifar_pipelines.report.sections.growth import growth_key
from cifar_pipelines.report.studies import Study

MOST_ROWS = 150  # of a table by class
PLOTS = {
    "confusion_matrix": "confusion matrix",
    "roc": "ROC curves",
    "confidence": "right and wrong predictions by confidence, and the accuracy at each",
    "right_examples": "{noun}s that it names rightly",
    "wrong_examples": "{noun}s that it names wrongly",
}  # of a model
OF_THE_BEST = ("roc", "confidence")  # which are shown of the most accurate model alone
SPARK_ML, CNN = "spark_ml", "bigdl_cnn"  # the families that A6 and A11 are about


def survey(content: Content) -> Blocks:
    """A5: what the installed Spark ML offers."""
    if content.survey is None:
        return (missing("The classifiers of the installed Spark ML were not listed.", "kedro classifiers"),)
    return (
        say(
            f"Spark ML {content.survey.pyspark} was asked itself: every class of pyspark.ml.classification "
            "was fitted to tiny tables with two and three classes, and with negative features."
        ),
        table(["classifier", *SURVEYED[1:]], content.survey.classifiers),
    )


def selected_classifiers(content: Content) -> Blocks:
    """A6: which were selected, and why; models of families that no other question is about come last."""
    study = content.study
    command = run(study, f"ingestion,features,{SPARK_ML}")
    latest = study.latest(SPARK_ML)
    nothing = (missing("No classifier of Spark ML was trained in this study.", command), *mention_transferred(study))
    chosen = nothing if latest.empty else (say(WHOSE_WORDS), *_reasons_and_parameters(latest, content.author))
    further = []
    for family in (name for name in study.families() if name not in (SPARK_ML, CNN)):
        models = study.latest(family)
        told = (*_reasons_and_parameters(models, content.author), *_diagrams(content, models))
        further.append(Section("other_models", f"Also {words_for(family)}", told))
    return (Section("reasons", "", chosen), *further)


def _reasons_and_parameters(latest: pd.DataFrame, author: Author) -> Blocks:
    """Why each model was chosen, and its parameters, by its newest record."""
    reasons = bullets(
        spans(strong(f"{record['label']}. "), f"{author.reason(record)} ", behind(record))
        for _, record in latest.iterrows()
    )
    return (reasons, table_of(latest, MODELS))


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
        *_best_of_other_families(content, best),
        *content.section("pairs"),
        *content.section("sentences"),
    )


def _most_accurate(content: Content, best: pd.Series) -> Blocks:
    label, figures = best["label"], _plots(content, best, PLOTS)
    named = say(strong(label), f" under {best['setting']} ", behind(best))
    classes = best["raw"].score("per_class") or []
    by_class = (Section("by_class", f"{label} by class", _by_class(classes, best["judged_on"])),) if classes else ()
    return (Section("most_accurate", "The most accurate model", (named, *figures)), *by_class)


def _plots(content: Content, record: pd.Series, names: Iterable[str]) -> Iterator[Block]:
    """Plots of one run of one model."""
    again = run_again(content.study, record)
    for name in names:
        yield run_figure(
            content.reporting, record, name, f"{record['label']}: {PLOTS[name].format(noun=content.study.noun)}.", again
        )
        if name == "confusion_matrix":
            yield from _confusions(record)


def _confusions(record: pd.Series) -> Iterator[Block]:
    """The classes that the model most often took for another one; nothing where its record has no confusion matrix."""
    counts, names = record["raw"].score("confusion_matrix"), record["raw"].data.class_names
    if counts is None or names is None:
        return
    found, judged_on = confusions(counts, names), record["judged_on"]
    if not found:
        yield say(f"{record['label']} took no {judged_on} for one of another class.")
        return
    rows = [(one.true, one.predicted, f"{one.times:,}", f"{one.share:.1%}") for one in found]
    yield table(["most confused: true class", "predicted class", f"{judged_on}s", "share of the true class"], rows)


def _best_of_other_families(content: Content, best: pd.Series) -> Blocks:
    """Confusion matrix and examples of the most accurate model of every other family."""
    study, models = content.study, trained(content.study.rows)
    blocks: Blocks = ()
    for family in study.families():
        own = fastest_of_each_model(models[models["family"] == family])
        if family == best["family"] or own.empty:
            continue
        record = study.used[study.used["label"] == own.iloc[0]["label"]].iloc[-1]
        words = f"Of {words_for(family)}: {record['label']} under {record['setting']} "
        blocks += (say(words, behind(record)),)
        blocks += tuple(_plots(content, record, [name for name in PLOTS if name not in OF_THE_BEST]))
    return (Section("best_of_families", "The most accurate model of every other family", blocks),) if blocks else ()


def _by_class(classes: Sequence[Mapping[str, Any]], judged_on: str) -> Blocks:
    """The scores of every class, or of those with the smallest F1 where there are more than anyone reads."""
    scores = ("precision", "recall", "f1", "roc_auc")
    shown = classes if len(classes) <= MOST_ROWS else sorted(classes, key=lambda one: one.get("f1") or 0)[:MOST_ROWS]
    rows = [
        [one.get("class_name"), *(scaled(one.get(score), 1, ".3f") for score in scores), one.get("support")]
        for one in shown
    ]
    written = table(["class", "precision", "recall", "F1", "ROC AUC", f"{judged_on}s"], rows)
    if shown is classes:
        return (written,)
    return (say(f"The {MOST_ROWS} of {len(classes):,} classes with the smallest F1; metrics.json has all."), written)


def network(content: Content) -> Blocks:
    """A11: the network, why it has these layers, and how it learned; of transferred networks, where they are told."""
    study = content.study
    latest, transferred = study.latest(CNN), mention_transferred(study)
    if latest.empty and not transferred:
        return (_no_cnn(study),)
    told: list[Block] = [_no_cnn(study)] if latest.empty else []
    for name, own in latest.groupby(latest["network"].fillna(latest["model"]), sort=False):
        why = dict.fromkeys(content.author.reason(record) for _, record in own.iterrows())
        told.append(Section("network", name, (*map(say, why), table_of(own, NETWORKS), *_diagrams(content, own))))
    learned = Section("learning", "How it learned", (*content.section("learning"), *content.section("fit")))
    return (*told, *transferred, learned)


def _diagrams(content: Content, models: pd.DataFrame) -> Iterator[Block]:
    """The most accurate network of each architecture, drawn part by part; nothing of models that are no networks."""
    for _, own in models.groupby("network", sort=False):
        best = own.loc[own["accuracy"].idxmax()]
        caption = f"{best['label']}: the parts of the network from the {content.study.noun} to the classes."
        yield run_figure(content.reporting, best, "diagram", caption, run_again(content.study, best))


def engines(content: Content) -> Blocks:
    """A12: the networks under all settings, and the engines side by side."""
    return content.section("engines", title="") or (_no_cnn(content.study),)


def _no_cnn(study: Study) -> Block:
    """Says that no CNN of the project was trained, and the command that trains one where there is one."""
    if study.noun == TEXT.noun:
        return say("No CNN was trained in this study: CNNs read images alone, and this is a study of texts.")
    own = " of the project's own" if len(study.transferred) else ""
    return missing(f"No CNN{own} was trained in this study.", run(study, CNN))


def more_images(content: Content) -> Blocks:
    """A13: the choice of the best setting, what more images gave with it, and what was predicted."""
    study = content.study
    choice = next((choice for choice in reversed(content.choices) if is_about(choice, study)), None)
    chosen = _choice(choice, study) if choice else ()
    grown = _grown(content) or ((_no_cnn(study),) if study.noun == TEXT.noun else ())
    command = grow(study)
    if not grown:
        grown = (missing("No network was trained on more images than in the main text.", command),)
    elif not chosen and study.noun != TEXT.noun:
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
    used = study.used
    used = used[used["model"] == choice.model] if choice.model else used[used["family"] == CNN]
    rows = [
        [one.setting, seconds(one.fit_s), one.repeats, f"{one.accuracy:.1%} ({one.low:.1%} to {one.high:.1%})",
         "chosen" if one.setting == choice.best.setting else None, behind(used[used["setting"] == one.setting])]
        for one in choice.candidates
    ]  # fmt: skip
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


def _params(params: object) -> str | None:
    """Writes parameters in one line."""
    return None if params is None else _said(params).removeprefix("(").removesuffix(")")


def _said(value: object) -> str:
    """Writes a value: names and values in brackets, what a list holds one after the other."""
    if isinstance(value, Mapping):
        return f"({', '.join(f'{name} {_said(one)}' for name, one in value.items())})"
    return (" ".join(map(_said, value)) or "none") if isinstance(value, list | tuple) else str(value)


def _of_params(name: str) -> Callable[[pd.Series], str | None]:
    return lambda record: _params(record["raw"].params.get(name))


MODELS: Columns = {
    "model": "label",
    "engine": "engine",
    "parameters": lambda record: _params(record["raw"].params),
    "records": behind,
}
NETWORKS: Columns = {
    "model": "label",
    "options": _of_params("options"),
    "recipe": _of_params("recipe"),
    "weights": "parameter_count:,.0f",
    "size [kB]": lambda record: scaled(record["model_size_bytes"], 1e-3),
    "records": behind,
}
