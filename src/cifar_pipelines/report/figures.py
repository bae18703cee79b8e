"""Figures of earlier runs, looked up below the reporting folder."""

import io
import json
from glob import escape
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from cifar_pipelines.report.document.blocks import Block, Figure, missing, png_size, say, strong

NEWEST = 20  # records that are asked where their study lies, before its name is looked for


def study_folder(reporting: Path, records: pd.DataFrame) -> Path | None:
    """Finds the folder with the plots of a study.

    Args:
        reporting: The reporting folder.
        records: The table of its run records, the newest first; not empty.

    Returns:
        The folder that holds the scores of one of these runs, else the only one whose name fits source, sizes
        and seed; None where there is none.
    """
    for _, record in records.head(NEWEST).iterrows():
        if found := run_file(reporting, record, "metrics.json"):
            return found.parents[5]
    data = records.iloc[0]
    subset = f"train{data['train_size']}-test{data['test_size']}-seed{data['seed']}"
    cut = "-validation*" if data["raw"].data.validation else ""
    named = [
        folder
        for folder in sorted(reporting.glob(f"*/{escape(subset)}{cut}"))
        if folder.parent.name == data["source"] or folder.parent.name.startswith(f"{data['source']}-")
    ]
    return named[0] if len(named) == 1 else None


def study_figure(folder: Path | None, name: str, caption: str, command: str) -> Block:
    """The newest version of a plot in a study's folder; a paragraph where it is missing, with the command that makes it."""
    versions = sorted(folder.glob(f"{name}.png/*/{name}.png")) if folder else []
    return _figure(versions[-1] if versions else None, caption, command)


def run_figure(
    reporting: Path, record: pd.Series, name: str, caption: str, command: str, folder: str | None = None
) -> Block:
    """A plot of one run; see `study_figure`. It lies with its model, or in the folder that all models of the run share."""
    return _figure(run_file(reporting, record, f"{name}.png", folder), caption, command)


def run_file(reporting: Path, record: pd.Series, name: str, folder: str | None = None) -> Path | None:
    """What a run has left beside its record; None where it is not there."""
    place = f"{escape(record['setting'])}/{escape(folder or record['model'])}"
    return next(reporting.glob(f"*/*/*/{place}/{name}/{escape(record['run_id'])}/{name}"), None)


def run_json(reporting: Path, record: pd.Series, name: str) -> dict[str, Any]:
    """What a JSON file holds that a run has left beside its record; nothing where it is not there or none of ours."""
    file = run_file(reporting, record, name)
    try:
        return json.loads(file.read_text(encoding="utf-8")) if file else {}
    except (OSError, ValueError):
        return {}


def shown_figure(png: bytes, caption: str, file: str) -> Block:
    """A plot, or the sentence that it holds where there is nothing to see (`plots.style.message_figure`)."""
    with Image.open(io.BytesIO(png)) as image:
        instead = image.info.get("Description")
    return say(strong(f"{caption}. "), str(instead)) if instead else Figure(png, caption, file)


def _figure(file: Path | None, caption: str, command: str) -> Block:
    png = file.read_bytes() if file else b""
    if png_size(png) is None:
        return missing(f"There is no figure here ({caption}).", command)
    return shown_figure(png, caption, file.name)
