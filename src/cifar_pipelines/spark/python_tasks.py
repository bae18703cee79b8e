"""Tasks of Spark's Python workers that are not timed: they make ready those that are."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from cifar_pipelines.common.lazy_types import RecordBatch, SparkSession


def on_every_core(session: SparkSession, cores: int, function: Callable[[], Any]) -> list[Any]:
    """What a function returns in the Python worker of every core.

    The Python workers of an application serve all its tasks, those on tables and those of a training.

    Args:
        session: The session.
        cores: Tasks, one a core where no others run.
        function: Importable or pickled by Spark; what it returns is carried as JSON.
    """

    def run(batches: Iterator[RecordBatch]) -> Iterator[RecordBatch]:
        import pyarrow as pa

        for _ in batches:
            yield pa.RecordBatch.from_pydict({"found": [json.dumps(function())]})

    rows = session.range(cores, numPartitions=cores).mapInArrow(run, "found string").collect()
    return [json.loads(row["found"]) for row in rows]
