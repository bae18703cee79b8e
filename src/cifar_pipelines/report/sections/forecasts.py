"""Fit times that were predicted before the run, beside what was then measured."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from cifar_pipelines.records.columns import records_to_table
from cifar_pipelines.records.summary import BUSY_HOST
from cifar_pipelines.report.sections.cells import Columns, markdown_table, number, text

PREDICTED = ["model", "setting", "train_size", "made", "predicted_s", "low_s", "high_s", "rule"]
COLUMNS = [*PREDICTED, "measured_s", "run_id", "doubt"]


def check_predictions(
    predictions: Mapping[str, Callable[[], dict]], *run_records: Mapping[str, Callable[[], dict]]
) -> pd.DataFrame:
    """Looks up, for every prediction, the first run with that configuration that ended after it was made.

    Args:
        predictions: Functions that load a prediction, by name.
        *run_records: Functions that load a run record, by record name.

    Returns:
        One row per prediction with `COLUMNS`: times in seconds, `measured_s` and `run_id` missing where it was never
        checked, `doubt` what makes the measured time doubtful. Predictions that cannot be read are left out.
    """
    made = [prediction for load in predictions.values() if (prediction := _read(load)) is not None]
    rows = []
    if made:
        named = {
            f"{place}/{name}": load for place, part in enumerate(run_records) for name, load in part.items()
        }
        table, _ = records_to_table(named)
        rows = [{name: one.get(name) for name in PREDICTED} | _measured(one, table) for one in made]
    checked = pd.DataFrame(rows, columns=COLUMNS)
    return checked.sort_values(["made", "model", "setting"], ignore_index=True)


def predictions_part(checked: pd.DataFrame) -> str | None:
    """Writes the part of the report on predictions.

    Args:
        checked: What `check_predictions` returned.

    Returns:
        Markdown that begins with a heading of level 2; None where nothing was predicted.
    """
    if checked.empty:
        return None
    done = checked[checked["measured_s"].notna()]
    parts = ["## Predicted before it was run", INTRODUCTION]
    if not done.empty:
        parts.append(markdown_table(done, TABLE))
        parts.append(_summed_up(done))
    if unchecked := [_unchecked(row) for _, row in checked[checked["measured_s"].isna()].iterrows()]:
        parts.append("Never checked, because no such run was recorded afterwards:")
        parts.append("\n".join(unchecked))
    return "\n\n".join(parts)


INTRODUCTION = (
    "Fit times that were computed from earlier run records and stored before the run started. The error is that of the "
    "prediction, relative to what was measured; [docs/scaling_models.md](../../../docs/scaling_models.md) "
    "explains the rules."
)


def interval(row: pd.Series) -> str | None:
    """Writes the interval of a prediction, in seconds."""
    return None if pd.isna(row["low_s"]) else f"{row['low_s']:.3g} to {row['high_s']:.3g}"


def _error(row: pd.Series) -> str:
    return f"{100 * (row['predicted_s'] / row['measured_s'] - 1):+.1f}"


def _inside(row: pd.Series) -> str | None:
    if pd.isna(row["low_s"]):
        return None
    return "yes" if row["low_s"] <= row["measured_s"] <= row["high_s"] else "no"


TABLE: Columns = {
    "model": text("model"),
    "setting": text("setting"),
    "training images": number("train_size", ",.0f"),
    "predicted [s]": number("predicted_s", ".3g"),
    "interval [s]": interval,
    "measured [s]": number("measured_s", ".3g"),
    "error [%]": _error,
    "in the interval": _inside,
    "marks": text("doubt"),
    "rule": text("rule"),
    "run record": text("run_id"),
}


def _summed_up(done: pd.DataFrame) -> str:
    """Says how good the predictions were."""
    errors = (done["predicted_s"] / done["measured_s"] - 1).abs()
    known = done[done["low_s"].notna()]
    inside = int(known["measured_s"].between(known["low_s"], known["high_s"]).sum())
    words = f"Median error {errors.median():.1%}, worst {errors.max():.1%}"
    return f"{words}; {inside} of {len(known)} within the interval." if len(known) else f"{words}."


def _unchecked(row: pd.Series) -> str:
    between = f" ({interval(row)} s)" if interval(row) else ""
    return (
        f"- {row['model']} under {row['setting']} on {row['train_size']:,.0f} images: predicted "
        f"{row['predicted_s']:.3g} s{between} on {row['made']}."
    )


def _read(load: Callable[[], dict] | dict) -> dict[str, Any] | None:
    """A prediction; None for a file that is broken or none."""
    try:
        prediction = load() if callable(load) else load
        pd.Timestamp(prediction["made"])
        return prediction if float(prediction["predicted_s"]) > 0 and prediction["configuration"] else None
    except Exception:  # a truncated or foreign file can fail in any way
        return None


def _measured(prediction: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    """The first run of this model, setting and configuration that was recorded after the prediction."""
    missing = {"measured_s": None, "run_id": None, "doubt": None}
    if table.empty:
        return missing
    same = table[
        (table["configuration"] == prediction["configuration"])
        & (table["model"] == prediction["model"])
        & (table["setting"] == prediction["setting"])
        & (table["created"] > pd.to_datetime(prediction["made"], utc=True))
    ]
    if same.empty:
        return missing
    run = same.iloc[0]
    doubts = {
        "oversubscribed": run["oversubscribed"],
        "busy host": (run["other_cpu_share"] or 0) > BUSY_HOST,
        "resumed": run["resumed"],
        "restarted": run["lost_attempts"] > 0,
    }
    doubt = ", ".join(name for name, there in doubts.items() if there)
    return {"measured_s": run["fit_s"], "run_id": run["run_id"], "doubt": doubt or None}
