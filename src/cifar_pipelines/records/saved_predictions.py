"""The tables of predictions that runs left, found by their run records."""

from pathlib import Path

import pandas as pd

from cifar_pipelines.records.run_record import RunRecord


def read_predictions(record: RunRecord, outputs: Path, table: str) -> pd.DataFrame:
    """A table of predictions that the run of a model left; without rows where there is no such file.

    Args:
        record: The model.
        outputs: The folder of all outputs of models.
        table: "predictions" or "further_predictions".
    """
    places = outputs.rglob(f"{record.model}/{table}.parquet/{record.run_id}/{table}.parquet")
    file = next(iter(sorted(places)), None)
    return pd.DataFrame() if file is None else pd.read_parquet(file)


def validation_rows(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of further predictions that are of validation images."""
    return table if table.empty else table[table["split"] == "validation"]
