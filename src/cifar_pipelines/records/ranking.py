"""Which of a study's models are compared, and which accuracies and which times are told apart."""

import pandas as pd

from cifar_pipelines.common.words import in_seconds
from cifar_pipelines.judging.pairs import Pair

TIE_WITHOUT_REPEATS = 0.10  # two single timings closer than this share of the shorter one are a tie


def fastest_of_each_model(models: pd.DataFrame) -> pd.DataFrame:
    """Returns one row per model, the most accurate first: its latest run at its fastest setting.

    Every statement about accuracy is about these runs, so that tables, tests and verdict agree.

    Args:
        models: Rows of trained models of one section of a summary.
    """
    fastest = models.sort_values(["time_s", "latest"], ascending=[True, False]).groupby("label").head(1)
    return fastest.sort_values(["accuracy", "label"], ascending=[False, True])


def told_apart(best: pd.Series, other: pd.Series, pair: Pair | None) -> bool:
    """Whether a model is shown to be less accurate than the best: by their paired test or, without one, by their intervals.

    Args:
        best: The row of the most accurate model.
        other: The row of the other one.
        pair: Their test; None where they cannot be tested.
    """
    return pair.differs if pair else bool(other["accuracy_high"] < best["accuracy_low"])


def guesses(row: pd.Series) -> bool:
    """Whether a model is not shown to be better than guessing: its interval reaches down to what guessing has."""
    return bool(row["accuracy_low"] <= row["chance"])  # NaN is no number that another one is below


def time_tie(one: pd.Series, other: pd.Series) -> str | None:
    """Says why the times of two rows of the comparison cannot be told apart; None when they differ."""
    difference = abs(one["time_s"] - other["time_s"])
    if min(one["timings"], other["timings"]) < 2:
        limit = TIE_WITHOUT_REPEATS * min(one["time_s"], other["time_s"])
        reason = f"without repeats a difference below {TIE_WITHOUT_REPEATS:.0%} proves nothing"
    else:
        limit = max(row["time_max_s"] - row["time_min_s"] for row in (one, other))
        reason = f"the repeats spread over {in_seconds(limit)}"
    return f"they differ by {in_seconds(difference)}, and {reason}" if difference <= limit else None


def totals_by_setting(models: pd.DataFrame) -> pd.DataFrame:
    """Adds up, for every setting under which all of some models were measured, their median times, the shortest first.

    Args:
        models: Rows of trained models of one section of a summary.

    Returns:
        One row per setting with what `time_tie` and `put_together` read.
    """
    totals = models.groupby("setting", as_index=False).agg(
        models=("label", "nunique"),
        cores=("cores", "min"),
        time_s=("time_s", "sum"),
        time_min_s=("time_min_s", "sum"),
        time_max_s=("time_max_s", "sum"),
        timings=("timings", "min"),
        oversubscribed=("oversubscribed", "any"),
        resumed_runs=("resumed_runs", "sum"),
        restarted_runs=("restarted_runs", "sum"),
    )
    complete = totals[totals["models"] == models["label"].nunique()]
    return complete.sort_values(["time_s", "cores"], ignore_index=True)
