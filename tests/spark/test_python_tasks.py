import os
import sys

import pyarrow as pa

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
