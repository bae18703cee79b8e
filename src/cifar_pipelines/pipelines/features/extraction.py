"""The two ways in which features are computed: by Python workers on the executors, or by Spark itself."""

import logging
import uuid
from abc import ABC, abstractmethod
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from cifar_pipelines.common.lazy_types import DataFrame, SparkSession
from cifar_pipelines.common.tables import FEATURES
from cifar_pipelines.extractors import Extractor, State, TableExtractor
from cifar_pipelines.pipelines.features.specification import FeaturesSpec
from cifar_pipelines.pipelines.features.worker import ExtractionJob, extract_batches, warm_up
from cifar_pipelines.spark.python_tasks import on_every_core

logger = logging.getLogger(__name__)


class Extraction(ABC):
    """An extraction on a session.

    Attributes:
        engine: What computes, in words.
        params: The parameters that it follows.
        facts: What it settled, for the description of the features.
        workers: What is known of its workers, once they have started.
        python_cpu_s: CPU seconds of its workers; None where it has none.
    """

    engine: ClassVar[str]
    params: dict[str, Any]
    facts: dict[str, Any]
    workers: list[dict[str, Any]]
    python_cpu_s: float | None = None

    @abstractmethod
    def start(self, cores: int) -> None:
        """Starts what would otherwise start inside the timed extraction."""

    @abstractmethod
    def features_of(self, images: DataFrame) -> DataFrame:
        """The table with the column `features` in the place of `image`; nothing is computed yet."""


class ByWorkers(Extraction):
    """Python workers decode, resize and ask the network, a few images at once."""

    engine = "Spark mapInArrow, PyTorch in Python workers"

    def __init__(self, session: SparkSession, extractor: Extractor, state: State, spec: FeaturesSpec) -> None:
        self._session, self._cpu = session, session.sparkContext.accumulator(0.0)
        # The extractor's state goes to every executor once.
        load_state = partial(getattr, session.sparkContext.broadcast(state), "value")
        self._job = ExtractionJob(uuid.uuid4().hex, extractor, load_state, spec.precision, spec.micro_batch)
        self.params = {"precision": spec.precision, "micro_batch": spec.micro_batch}
        self.workers = []

    @property
    def facts(self) -> dict[str, Any]:
        """See `Extraction`."""
        return {"precision": self._job.precision, "micro_batch": self._job.micro_batch}

    @property
    def python_cpu_s(self) -> float:
        """See `Extraction`."""
        return self._cpu.value

    def start(self, cores: int) -> None:
        """Lets every core's Python worker load torch and the network, and settles one precision for all."""
        job = self._job
        # PARALLEL(executors): one task per core, so that no worker starts inside the timed extraction.
        self.workers = on_every_core(self._session, cores, partial(warm_up, job))
        found = {worker["precision"] for worker in self.workers}
        self._job = replace(job, precision="fp32" if len(found) > 1 else found.pop())
        if job.precision == "auto" and self._job.precision == "fp32":
            logger.info("Precision fp32: not every executor's CPU has bf16.")

    def features_of(self, images: DataFrame) -> DataFrame:
        """See `Extraction`."""
        job, add_cpu_seconds = self._job, self._cpu.add
        # PARALLEL(executors): every core runs one Python worker that extracts its share of the images.
        return images.mapInArrow(lambda batches: extract_batches(batches, job, add_cpu_seconds), FEATURES.ddl)


class BySpark(Extraction):
    """Spark computes them itself, without Python workers."""

    engine = "Spark ML, in the JVM"

    def __init__(self, extractor: TableExtractor, state: State) -> None:
        self._extractor, self._state = extractor, state
        self.params, self.facts, self.workers = {}, {"precision": None}, []

    def start(self, cores: int) -> None:
        """There is nothing to start."""

    def features_of(self, images: DataFrame) -> DataFrame:
        """See `Extraction`."""
        # PARALLEL(executors): every task computes the features of its partition.
        return self._extractor.transform(images, self._state)
