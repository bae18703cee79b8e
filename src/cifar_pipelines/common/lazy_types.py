"""Types of heavy libraries, for annotations that Kedro resolves without importing the libraries."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pyarrow import RecordBatch
    from pyspark.ml import Model
    from pyspark.sql import Column, DataFrame, SparkSession
else:
    Column = Figure = RecordBatch = Model = DataFrame = SparkSession = Any

__all__ = ["Column", "DataFrame", "Figure", "Model", "RecordBatch", "SparkSession"]
