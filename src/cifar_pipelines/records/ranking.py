"""Which of a study's models are compared in accuracy, and which of them are told apart."""

import pandas as pd

from cifar_pipelines.judging.pairs import Pair


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
