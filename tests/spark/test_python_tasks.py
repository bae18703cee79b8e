import os
import sys

import pyarrow as pa
import pytest

from cifar_pipelines.spark.failures import spark_failure
from cifar_pipelines.spark.python_tasks import on_every_core


def mark():
    sys.modules["made_ready"] = os
    return {"pid": os.getpid(), "half": 0.5, "none": None}


def test_the_workers_that_were_made_ready_are_those_that_compute_tables(spark):
    found = on_every_core(spark.session, 2, mark)
    assert (
        len({one["pid"] for one in found}) == 2 and [(one["half"], one["none"]) for one in found] == [(0.5, None)] * 2
    )

    def ready(batches):
        for _ in batches:
            yield pa.RecordBatch.from_pydict({"ready": ["made_ready" in sys.modules]})

    rows = spark.session.range(2, numPartitions=2).mapInArrow(ready, "ready boolean").collect()
    assert [row["ready"] for row in rows] == [True, True]


def test_trainings_and_tables_share_their_workers(spark):
    def worker(rows):
        return iter([(len(list(rows)), os.getpid())])

    training = spark.session.sparkContext.parallelize(range(2), 2).mapPartitions(worker).collect()
    assert {pid for _, pid in training} == {one["pid"] for one in on_every_core(spark.session, 2, mark)}


def test_an_error_of_a_worker_is_told_by_its_last_line_and_place(spark):
    def fail():
        raise ValueError("This is no image")

    with pytest.raises(Exception, match="This is no image") as raised:
        on_every_core(spark.session, 2, fail)
    reason = spark_failure(raised.value).reason
    assert reason.startswith("ValueError: This is no image (spark/python_tasks.py, line ")
