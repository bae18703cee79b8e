"""The section about near twins across splits, from what the leak meter left beside the plots of a study."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from cifar_pipelines.judging.outcomes import outcomes_of, unpack_outcomes
from cifar_pipelines.judging.statistics import accuracy_of
from cifar_pipelines.records.ranking import fastest_of_each_model
from cifar_pipelines.report.document.blocks import Block, Blocks, Section, bullets, say, spans, strong, table
from cifar_pipelines.report.figures import study_figure


def leaks(folder: Path | None, models: pd.DataFrame) -> Section | None:
    """Says how many images have a near twin among the training images, and what that is worth; None where it was not measured.

    Args:
        folder: Where the plots of the study lie, one folder per extractor; None where they are not found.
        models: Rows of the trained models of the study.
    """
    try:
        found = [json.loads(file.read_text(encoding="utf-8")) for file in _newest(folder)]
        blocks = [block for measured in found for block in (*_told(measured), *_of_models(measured, models))]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return Section("leaks", "Near twins across splits", tuple(blocks)) if blocks else None


def leaks_figure(folder: Path, command: str) -> Block:
    """The plot that belongs to the section, or the command that makes it; see `leaks`."""
    (newest,) = _newest(folder)
    caption = "How far images are from their nearest training image."
    return study_figure(newest.parents[2], "leaks", caption, command)


def _newest(folder: Path | None) -> list[Path]:
    """What the leak meter left last, by any extractor."""
    found = folder.glob("*/leaks.json/*/leaks.json") if folder else ()
    return sorted(found, key=lambda file: file.parent.name)[-1:]


def _told(measured: dict[str, Any]) -> list[Block]:
    header = ["images", "near twins", "nearest neighbour right", "without twins", "without the own group"]
    rows = [
        (
            f"{found['images']:,} {split}",
            f"{found['twins']:,} ({found['twins'] / found['images']:.1%})",
            *(_share(found.get(key)) for key in ("accuracy", "accuracy_without_twins", "accuracy_of_other_groups")),
        )
        for split, found in measured["splits"].items()
    ]
    rule = say(
        f"A near twin is nearer to a training image than {measured['near']:g} times the typical distance to one of another class, by "
        f"the features of {measured['extractor']}. What the nearest training image alone gets right needs no learning: a model "
        "has to be better than that."
    )
    groups = [
        spans(strong(f"{split[:1].upper()}{split[1:]} images. "), _verdict(found))
        for split, found in measured["splits"].items()
        if found.get("accuracy_of_other_groups")
    ]
    return [rule, table(header, rows), *([bullets(groups)] if groups else [])]


def _of_models(measured: dict[str, Any], models: pd.DataFrame) -> Blocks:
    """How good models are on the images with and without twins; nothing where no model was judged on images with some."""
    ranking = [] if models.empty else [model for _, model in fastest_of_each_model(models).iterrows()]
    rows = []
    for found in measured["splits"].values():
        packed = found.get("packed")  # what was measured by older versions says only how many there are
        if not packed or not found["twins"]:
            continue
        twin = unpack_outcomes(packed["twins"], found["images"])
        for model in ranking:
            outcomes = outcomes_of(model)
            if not outcomes.problem and outcomes.images == packed["images"]:
                of = (outcomes.right, outcomes.right[~twin], outcomes.right[twin])
                rows.append((model["label"], *(_share(accuracy_of(right)) for right in of)))
    if not rows:
        return ()
    header = ["model", "right of all", "without twins", "of those with twins"]
    return (
        say("What models get right of the same images, each in its latest run at its fastest setting:"),
        table(header, rows),
    )


def _verdict(found: dict[str, Any]) -> str:
    with_own, without = found["accuracy"], found["accuracy_of_other_groups"]
    said = (
        f"{found['in_own_group']:,} of {found['images']:,} have their nearest training image in their own group; without it the "
        f"nearest neighbour is right for {without['value']:.1%} instead of {with_own['value']:.1%}."
    )
    if without["high"] < with_own["low"]:
        return f"{said} Scores on them measure how well known scenes are recognised again, not new ones: cut by group instead."
    return f"{said} The intervals overlap: no leak by group is shown."


def _share(accuracy: dict[str, float] | None) -> str:
    return "–" if accuracy is None else f"{accuracy['value']:.1%} ({accuracy['low']:.1%} to {accuracy['high']:.1%})"
