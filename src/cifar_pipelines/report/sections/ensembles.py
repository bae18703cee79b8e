"""The section on ensembles: who votes with which weight, and whether the vote is better than its best member; and on images without labels."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from cifar_pipelines.common.words import counted
from cifar_pipelines.report.document.blocks import Block, Section, say
from cifar_pipelines.report.figures import run_json
from cifar_pipelines.report.sections.cells import Columns, behind, table_of
from cifar_pipelines.report.sections.pairs import write_p

INTRODUCTION = (
    "An ensemble stands beside its best member on the same images, by McNemar's exact test with Holm's correction over its members. The test is "
    "strict, because the best member is picked by hindsight. Where weights are chosen, there is a second row for the images that chose them, each of "
    "which is voted on with weights that others chose."
)
ENSEMBLES: Columns = {
    "ensemble": "label",
    "of images": "images",
    "accuracy": "accuracy:.1%",
    "best member": "member",
    "its accuracy": "member_accuracy:.1%",
    "difference [points]": "difference:+.2f",
    "p, Holm": lambda row: write_p(row["p_holm"]),
    "records": behind,
}
WEIGHTS: Columns = {"ensemble": "label", "members and weights": "weights", "chosen on": "chosen_on"}


def ensembles(records: pd.DataFrame, reporting: Path) -> Section | None:
    """The newest run of every ensemble of a study, and where predictions of images without labels are; None where there is neither.

    Args:
        records: Its run records, the oldest first.
        reporting: The folder with the results of all runs.
    """
    voted = records[records["raw"].map(lambda record: isinstance(record.params.get("members"), dict))]
    latest = voted.groupby("label").tail(1).sort_values("label")
    blocks: list[Block] = []
    if not latest.empty:
        compared = pd.DataFrame([row for _, run in latest.iterrows() for row in _compared(run, reporting)])
        blocks += [say(INTRODUCTION)] if len(compared) else []
        blocks += [table_of(compared, ENSEMBLES)] if len(compared) else []
        blocks += [table_of(pd.DataFrame([_weights(run) for _, run in latest.iterrows()]), WEIGHTS)]
    data = records.iloc[-1]["raw"].data
    if data.predict_size:
        blocks.append(
            say(
                f"{counted(data.predict_size, data.noun)} without a label: what each model says of them is in its unlabelled.csv (image, label, "
                "probability) below data/07_model_output. When their truth becomes known, `kedro score` judges the file."
            )
        )
    return Section("ensembles", "Ensembles, and images without labels", tuple(blocks)) if blocks else None


def _weights(run: pd.Series) -> dict[str, Any]:
    params = run["raw"].params
    named = ", ".join(f"{name} {weight:.2f}" for name, weight in params["weights"].items())
    return {"label": run["label"], "weights": named, "chosen_on": params.get("chosen_on")}


def _compared(run: pd.Series, reporting: Path) -> Iterator[dict[str, Any]]:
    """Rows of an ensemble beside its best member, from what it left beside its record; none where that is not there."""
    found = run_json(reporting, run, "against_members.json")
    try:
        for part in filter(None, (found, found.get("chosen_on"))):
            best = part["members"][0]
            yield {
                "label": run["label"],
                "images": f"{part['n']:,} {part.get('images', 'that models are judged on')}",
                "accuracy": part["accuracy"],
                "member": best["member"],
                "member_accuracy": best["accuracy"],
                "difference": 100 * best["difference"],
                "p_holm": best["p_holm"],
                "records": run["records"],
            }
    except (ValueError, KeyError, TypeError, IndexError):
        return
