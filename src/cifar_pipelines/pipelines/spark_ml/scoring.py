"""What a fitted model says of a table of features, the same for test images and for new ones."""

import pandas as pd

from cifar_pipelines.common.lazy_types import DataFrame, Model


def score(model: Model, table: DataFrame, *columns: str) -> tuple[DataFrame, bool]:
    """Applies a model to a table with the column `features`.

    Args:
        model: The fitted model.
        table: The table.
        columns: Expressions of SQL for what is kept of the table.

    Returns:
        These columns with `prediction` int and `probability` array<double>, and whether the model itself knows
        probabilities; where it does not, these are its margins, of which `with_probabilities` makes some.
    """
    from pyspark.ml.functions import vector_to_array
    from pyspark.sql import functions as F  # noqa: N812

    scored = _transform(model, table)
    native = "probability" in scored.columns
    probability = vector_to_array(F.col("probability" if native else "rawPrediction")).alias("probability")
    return scored.select(*map(F.expr, columns), F.col("prediction").cast("int"), probability), native


def with_probabilities(predictions: pd.DataFrame, native: bool) -> pd.DataFrame:
    """Makes probabilities of margins, by a softmax, where they are not native."""
    import numpy as np
    from scipy.special import softmax

    if native or predictions.empty:
        return predictions
    return predictions.assign(probability=list(softmax(np.stack(predictions["probability"].to_numpy()), axis=1)))


def _transform(model: Model, table: DataFrame) -> DataFrame:
    """Applies a model; one-vs-rest in the JVM, since PySpark's own goes through a Python worker per class."""
    from pyspark.ml.classification import OneVsRestModel
    from pyspark.sql import DataFrame as SparkDataFrame

    if isinstance(model, OneVsRestModel):
        return SparkDataFrame(model._to_java().transform(table._jdf), table.sparkSession)
    return model.transform(table)
