"""What the report says of models: sections A5 to A7 and A11 to A13."""

import json
from collections.abc import Mapping
from typing import Any

from cifar_pipelines.report.chapters.laboratory.data import run
from cifar_pipelines.report.document.blocks import (
    Block,
    Blocks,
    Bullets,
    Heading,
    Paragraph,
    Span,
    missing,
    plain,
    say,
    table,
)
from cifar_pipelines.report.figures import run_figure
from cifar_pipelines.report.references import reference, with_references
from cifar_pipelines.report.studies import Content

SPARK_ML = "spark_ml"
CNN = "bigdl_cnn"


def survey(content: Content) -> Blocks:
    """A5: what the installed Spark ML offers."""
    if not content.survey or not content.survey.get("classifiers"):
        return (missing("The classifiers of the installed Spark ML were not listed.", "kedro classifiers"),)
    return (
        say(
            f"Spark ML {content.survey.get('pyspark', '')} was asked itself: every class of pyspark.ml.classification "
            "was fitted to tiny tables with two and three classes, and with negative features."
        ),
        table(
            ["classifier", "multiclass", "probabilities", "features"],
            [
                [row.get(key) for key in ("name", "multiclass", "probabilities", "features")]
                for row in content.survey["classifiers"]
            ],
        ),
    )


def selected_classifiers(content: Content) -> Blocks:
    """A6: which were selected, and why."""
    study = content.study
    content.study.parts.take("Why these models")  # here and in A11, with references
    latest = study.latest(SPARK_ML)
    if not latest:
        command = run(study, "ingestion,features,spark_ml")
        return (missing("No classifier of Spark ML was trained in this study.", command),)
    return (
        Bullets(tuple(((_reason(label, record, behind),)) for label, record, behind in latest)),
        table(
            ["model", "engine", "parameters", "records"],
            [
                (label, record["engine"], _params(record["params"]), behind)
                for label, record, behind in latest
            ],
        ),
    )


def metrics(content: Content) -> Blocks:
    """A7: the scores of all models, and the confusion matrix and the ROC curves of the best."""
    study, best = content.study, content.study.best()
    if best is None:
        command = run(study, "ingestion,features,spark_ml")
        return (missing("No model was trained in this study.", command),)
    label, record, behind = best
    again = run(study, SPARK_ML if record["family"] == SPARK_ML else "bigdl_cnn")
    return (
        say(
            "The scores of each model's latest run at its fastest setting; the accuracy comes with its Wilson interval."
        ),
        *study.parts.take("Scores of"),
        *study.parts.take_whole("Accuracy by"),
        _heading("The most accurate model"),
        Paragraph((Span(label, strong=True), Span(f" under {record['parallelism']['setting']} "), *behind)),
        run_figure(content.reporting, record, "confusion_matrix", f"Confusion matrix of {label}.", again),
        run_figure(content.reporting, record, "roc", f"ROC curves of {label}.", again),
        *_by_class(record, label),
    )


def network(content: Content) -> Blocks:
    """A11: the network, why it has these layers, and how it learned."""
    study = content.study
    latest = study.latest(CNN)
    if not latest:
        return (missing("No CNN was trained in this study.", run(study, "bigdl_cnn")),)
    blocks: list[Block] = []
    for name in dict.fromkeys(_network(record) for _, record, _ in latest):
        own = [(label, record, behind) for label, record, behind in latest if _network(record) == name]
        reasons = dict.fromkeys(
            " ".join((record.get("justification") or "not stated").split()) for _, record, _ in own
        )
        blocks.append(_heading(name))
        blocks += [say(reason) for reason in reasons]
        blocks.append(
            table(
                ["model", "options", "recipe", "weights", "size [kB]", "records"],
                [
                    (label, _params(record["params"].get("options")), _params(record["params"].get("recipe")),
                     _count(record.get("parameter_count")), _count(record.get("model_size_bytes"), 1e-3), behind)
                    for label, record, behind in own
                ],
            )
        )  # fmt: skip
    curves = content.plots.pop("learning_curves.png", None)
    return (*blocks, _heading("How it learned"), *([curves] if curves else []))


def engines(content: Content) -> Blocks:
    """A12: the networks under all settings, and the engines side by side."""
    found = content.study.parts.take("Engines side by side")
    if found:
        return found
    return (missing("No CNN was trained in this study.", run(content.study, "bigdl_cnn")),)


def more_images(content: Content) -> Blocks:
    """A13: the choice of the best setting, and what more images gave with it."""
    chosen, grown = _choice(content), _grown(content)
    command = f"kedro experiment --grow-to {2 * content.study.data['train_size']}"
    if not grown:
        grown = (missing("No network was trained on more images than in the main text.", command),)
    elif not chosen:
        chosen = (missing("No experiment chose the setting for more images.", command),)
    return chosen + grown


def _choice(content: Content) -> Blocks:
    """What the newest experiment on this study chose, and why."""
    study = content.study
    for experiment in reversed(content.experiments):
        choice = experiment.get("choice")
        if not isinstance(choice, Mapping) or not _is_about(choice, content):
            continue
        cnns = study.of_family(CNN)
        rows = [
            (
                *(one["setting"], f"{one['fit_s']:.1f}", one["repeats"]),
                f"{one['accuracy']:.1%} ({one['low']:.1%} to {one['high']:.1%})",
                "chosen" if one["setting"] == choice["best"]["setting"] else None,
                reference(cnns.loc[cnns["setting"] == one["setting"], "number"]),
            )
            for one in choice["candidates"]
        ]
        return (
            Paragraph((Span("The best setting. ", strong=True), Span(choice["reason"]))),
            table(["setting", "median fit [s]", "timings", "accuracy", "choice", "records"], rows),
        )
    return ()


def _is_about(choice: Mapping[str, Any], content: Content) -> bool:
    """Whether every setting that was considered has exactly that accuracy in a record of the study."""
    cnns = content.study.of_family(CNN)
    known = set(zip(cnns["setting"], cnns["accuracy"], strict=True))
    return all((one["setting"], one["accuracy"]) in known for one in choice["candidates"])


def _grown(content: Content) -> Blocks:
    """The part about more images, as far as it is about this source, seed, host and cluster."""
    rows = content.study.rows.iloc[0]
    names = [
        f"seed {rows['seed']},", f"{rows['test_size']:,} test images", f"host with {rows['host_cores']} cores",
        "embedded cluster" if rows["cluster"] == "embedded" else str(rows["cluster"]),
    ]  # fmt: skip
    introduction, parts, keep = [], [], False
    for block in with_references(content.parts.take("More training images"), content.records):
        if isinstance(block, Heading):
            title = plain(block.spans)
            keep = title.lower().startswith(str(rows["source"]).lower()) and all(n in title for n in names)
        if keep:
            parts.append(block)
        elif not parts and not isinstance(block, Heading):
            introduction.append(block)
    return tuple(introduction[:1] + parts) if parts else ()


def _reason(label: str, record: Mapping[str, Any], behind: tuple[Span, ...]) -> Paragraph:
    words = " ".join((record.get("justification") or "The reason is not stated.").split())
    return Paragraph((Span(f"{label}. ", strong=True), Span(f"{words} "), *behind))


def _by_class(record: Mapping[str, Any], label: str) -> Blocks:
    classes = (record.get("metrics") or {}).get("per_class") or []
    if not classes:
        return ()
    scores = ("precision", "recall", "f1", "roc_auc")
    rows = [
        [one.get("class_name"), *(_score(one.get(score)) for score in scores), one.get("support")]
        for one in classes
    ]
    return (
        _heading(f"{label} by class"),
        table(["class", "precision", "recall", "F1", "ROC AUC", "test images"], rows),
    )


def _score(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}"


def _count(value: float | None, factor: float = 1) -> str | None:
    return None if value is None else f"{value * factor:,.0f}"


def _network(record: Mapping[str, Any]) -> str:
    return str(record["params"].get("network") or record["model"])


def _params(params: object) -> str | None:
    """Writes parameters in one line."""
    if not isinstance(params, Mapping):
        return None if params is None else str(params)
    return ", ".join(
        f"{name} {json.dumps(value) if isinstance(value, dict | list) else value}"
        for name, value in params.items()
    )


def _heading(text: str) -> Heading:
    return Heading(2, (Span(text),))
