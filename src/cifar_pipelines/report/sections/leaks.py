"""The section about near twins across splits, from what the leak meter left beside the plots of a study."""

import json
from pathlib import Path
from typing import Any

from cifar_pipelines.report.document.blocks import Block, Section, bullets, say, spans, strong, table
from cifar_pipelines.report.figures import study_figure


def leaks(folder: Path | None) -> Section | None:
    """Says how many images have a near twin among the training images; None where it was not measured.

    Args:
        folder: Where the plots of the study lie, one folder per extractor; None where they are not found.
    """
    try:
        found = [json.loads(file.read_text(encoding="utf-8")) for file in _newest(folder)]
        blocks = [block for measured in found for block in _told(measured)]
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
