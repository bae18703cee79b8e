"""The section on texts that were given to saved models by `kedro predict --text`."""

import json
from pathlib import Path
from typing import Any

from cifar_pipelines.report.document.blocks import Section, say, table

FOLDER = "sentences"  # in the reporting folder: one JSON per model, version and text
HEADER = ("text", "model", "version", "label", "probability of every class")


def sentences(reporting: Path) -> Section | None:
    """What saved models say of given texts; None where none was given."""
    rows = [row for file in sorted((reporting / FOLDER).glob("*.json")) if (row := _row(file))]
    if not rows:
        return None
    how = say(
        "Given with kedro predict <model> --text. Texts that a model has never seen, and that nobody has labelled."
    )
    return Section("sentences", "What models say of a sentence", (table(HEADER, sorted(rows)), how))


def _row(file: Path) -> tuple[str, ...] | None:
    """One row; None for a file of something else."""
    try:
        told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        shares = ", ".join(f"{name} {share:.4f}" for name, share in told["probabilities"].items())
        return told["text"], told["model"], told["version"], told["label"], shares
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
