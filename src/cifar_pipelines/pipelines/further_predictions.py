"""Predictions of images that were not learned from and that no model is judged on.

These are the validation images where models are judged on test images, for what is chosen among models, and the images
without labels, whose predictions are what they are there for.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.lazy_types import DataFrame
from cifar_pipelines.common.params import command_to_run
from cifar_pipelines.common.tables import FURTHER_PREDICTIONS, judged_split
from cifar_pipelines.common.words import counted
from cifar_pipelines.judging.predictions import UNLABELLED_COLUMNS, unlabelled_csv

OUTPUTS = ["further_predictions", "unlabelled_csv"]  # of the node of a family that makes both


def further_splits(images_info: Mapping[str, Any]) -> list[str]:
    """The splits of such images, of which there are some."""
    judged = judged_split(images_info)
    return [split for split in ("validation", "predict") if images_info.get(f"{split}_size") and split != judged]


def rows_of_splits(table: DataFrame, splits: list[str]) -> DataFrame:
    """The rows of a table that are of some splits."""
    from pyspark.sql import functions as F  # noqa: N812

    return table.where(F.col("split").isin(splits))


def no_further() -> tuple[pd.DataFrame, pd.DataFrame]:
    """What there is of a study without such images: two tables without rows."""
    return pd.DataFrame(columns=list(FURTHER_PREDICTIONS.names)), pd.DataFrame(columns=list(UNLABELLED_COLUMNS))


def further_tables(
    predictions: pd.DataFrame, images: DataFrame, images_info: Mapping[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Makes both tables of the predictions of all such images.

    Args:
        predictions: Columns of `PREDICTIONS`, rows in any order.
        images: The image table, whose ranks say in which order images without labels are wanted.
        images_info: Its description.

    Returns:
        Columns of `FURTHER_PREDICTIONS`, by split and image id, and what `unlabelled_csv` makes of the images without labels.

    Raises:
        UserError: If images lack a prediction.
    """
    wanted = sum(images_info[f"{split}_size"] for split in further_splits(images_info))
    if len(predictions) != wanted:
        raise UserError(
            f"Predicted were {counted(len(predictions), 'image')} that were not learned from, but there are {wanted} of them. Make the tables "
            f"again: {command_to_run('ingestion', 'features')}"
        )
    label = predictions["label"].astype("Int64")
    split = label.isna().map({True: "predict", False: "validation"})
    table = predictions.assign(label=label, split=split).sort_values(["split", "image_id"], ignore_index=True)
    listed = no_further()[1]
    if images_info.get("predict_size"):
        ranks = rows_of_splits(images, ["predict"]).select("image_id", "rank").toPandas().sort_values("rank")
        of_predict = table[table["split"] == "predict"]
        listed = unlabelled_csv(of_predict, images_info["class_names"], ranks["image_id"].tolist())
    return table[list(FURTHER_PREDICTIONS.names)], listed
