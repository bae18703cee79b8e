"""The section on forecasts: fit times that were predicted before the run, beside what was then measured."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from cifar_pipelines.common.words import in_seconds, seconds
from cifar_pipelines.records.summary import BUSY_HOST
from cifar_pipelines.report.document.blocks import Blocks, Section, Span, bullets, say, spans
from cifar_pipelines.report.sections.cells import Columns, table_of

FORECAST = ["model", "setting", "train_size", "made", "predicted_s", "low_s", "high_s", "rule"]
COLUMNS = [*FORECAST, "measured_s", "run_id", "doubt"]


def check_forecasts(forecasts: Mapping[str, Callable[[], dict]], records: pd.DataFrame) -> pd.DataFrame:
    """Looks up, for every forecast, the first run with that configuration that ended after it was made.

    Args:
        forecasts: Functions that load a forecast, by name.
        records: The table of run records, oldest first.

    Returns:
        One row per forecast with `COLUMNS`: times in seconds, `measured_s` and `run_id` missing where it was never
        checked, `doubt` what makes the measured time doubtful. Forecasts that cannot be read are left out.
    """
    made = [forecast for load in forecasts.values() if (forecast := _read(load)) is not None]
    rows = [{name: one.get(name) for name in FORECAST} | _measured(one, records) for one in made]
    return pd.DataFrame(rows, columns=COLUMNS).sort_values(["made", "model", "setting"], ignore_index=True)


def forecasts(checked: pd.DataFrame) -> Section | None:
    """Sets forecasts beside what was measured, from what `check_forecasts` returned; None where there are none."""
    if checked.empty:
        return None
    done = checked[checked["measured_s"].notna()]
    blocks: Blocks = (say(INTRODUCTION),)
    if not done.empty:
        blocks += (table_of(done, TABLE), say(_summed_up(done)))
    if unchecked := [_unchecked(row) for _, row in checked[checked["measured_s"].isna()].iterrows()]:
        blocks += (say("Never checked, because no such run was recorded afterwards:"), bullets(unchecked))
    return Section("forecasts", "Predicted before it was run", blocks)


INTRODUCTION = spans(
    "Fit times that were computed from earlier run records and stored before the run started. The error is that of the "
    "prediction, relative to what was measured; ",
    Span("docs/scaling_models.md", target="docs/scaling_models.md"),
    " explains the rules.",
)


def interval(row: pd.Series) -> str | None:
    """Writes the interval of a forecast, in seconds."""
    return None if pd.isna(row["low_s"]) else f"{seconds(row['low_s'])} to {seconds(row['high_s'])}"


def _error(row: pd.Series) -> str:
    return f"{100 * (row['predicted_s'] / row['measured_s'] - 1):+.1f}"


def _inside(row: pd.Series) -> str | None:
    if pd.isna(row["low_s"]):
        return None
    return "yes" if row["low_s"] <= row["measured_s"] <= row["high_s"] else "no"


TABLE: Columns = {
    "model": "model",
    "setting": "setting",
    "training images": "train_size:,.0f",
    "predicted [s]": "predicted_s:seconds",
    "interval [s]": interval,
    "measured [s]": "measured_s:seconds",
    "error [%]": _error,
    "in the interval": _inside,
    "marks": "doubt",
    "rule": "rule",
    "run record": "run_id",
}


def _summed_up(done: pd.DataFrame) -> str:
    """Says how good the forecasts were."""
    errors = (done["predicted_s"] / done["measured_s"] - 1).abs()
    known = done[done["low_s"].notna()]
    inside = int(known["measured_s"].between(known["low_s"], known["high_s"]).sum())
    words = f"Median error {errors.median():.1%}, worst {errors.max():.1%}"
    return f"{words}; {inside} of {len(known)} within the interval." if len(known) else f"{words}."


def _unchecked(row: pd.Series) -> str:
    between = f" ({interval(row)} s)" if interval(row) else ""
    return (
        f"{row['model']} under {row['setting']} on {row['train_size']:,.0f} images: predicted "
        f"{in_seconds(row['predicted_s'])}{between} on {row['made']}."
    )


def _read(load: Callable[[], dict]) -> dict[str, Any] | None:
    """A forecast; None for a file that is broken or none."""
    try:
        forecast = load()
        pd.Timestamp(forecast["made"])
        return forecast if float(forecast["predicted_s"]) > 0 and forecast["configuration"] else None
    except Exception:  # a truncated or foreign file can fail in any way
        return None


def _measured(forecast: Mapping[str, Any], records: pd.DataFrame) -> dict[str, Any]:
    """The first run of this model, setting and configuration that was recorded after the forecast."""
    same = records[
        (records["configuration"] == forecast["configuration"])
        & (records["model"] == forecast["model"])
        & (records["setting"] == forecast["setting"])
        & (records["created"] > pd.to_datetime(forecast["made"], utc=True))
    ]
    if same.empty:
        return {"measured_s": None, "run_id": None, "doubt": None}
    run = same.iloc[0]
    doubts = {
        "oversubscribed": run["oversubscribed"],
        "busy host": (run["other_cpu_share"] or 0) > BUSY_HOST,
        "resumed": run["resumed"],
        "restarted": run["lost_attempts"] > 0,
    }
    doubt = ", ".join(name for name, there in doubts.items() if there)
    return {"measured_s": run["fit_s"], "run_id": run["run_id"], "doubt": doubt or None}
