import numpy as np
import pyarrow as pa
import pytest

from cifar_pipelines.common.tables import FEATURES, IMAGES, PREDICTIONS


def test_the_schemas_agree_for_spark_and_arrow(spark):
    from pyspark.sql.pandas.types import to_arrow_schema

    for table in (IMAGES, FEATURES, PREDICTIONS):
        assert to_arrow_schema(spark.session.createDataFrame([], table.ddl).schema) == table.arrow


def test_a_batch_is_made_of_arrays_and_of_sequences():
    batch = PREDICTIONS.batch(
        pa.array(["a", "b"]), pa.array([0, 1], pa.int64()), np.array([1, 0]), [np.float32([0.5, 0.5])] * 2
    )
    assert batch.schema == PREDICTIONS.arrow
    assert batch.to_pylist()[0] == {"image_id": "a", "label": 0, "prediction": 1, "probability": [0.5, 0.5]}
    with pytest.raises(ValueError, match="longer"):
        PREDICTIONS.batch(["a"], [0])


def test_a_column_is_added_at_the_end():
    wider = IMAGES.with_columns(error="string")
    assert wider.names == (*IMAGES.names, "error") and wider.ddl == f"{IMAGES.ddl}, error string"
