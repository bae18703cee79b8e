"""Whether time and memory of ingestion and features stay in proportion when the images become ten times as many."""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.result import Bar, Result
from benchmarks.workload import SETTING, Step, start_run, stored_table
from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.pipelines.features import nodes as features
from cifar_pipelines.pipelines.features.specification import FeaturesSpec, create_checked_extractor
from cifar_pipelines.pipelines.ingestion import nodes as ingestion
from cifar_pipelines.sources import open_source
from cifar_pipelines.spark.timing import driver_usage, executor_peaks

NAME = "growth"
BAR = Bar(0.90, at_least=True)
FLAT = 1.10  # times the memory of a tenth of the images
TENTH = 10
LEAST = 10_000
# The cheapest features: the dictionary is small, so that most of the time goes to reading and writing.
CHEAP = {"kmeans_patches": {"centroids": 8, "patches": 2000, "mirror": False}}


@dataclass(frozen=True)
class Passage:
    """What one number of images took: seconds, and the peaks of driver and executors in MiB."""

    images: int
    seconds: float
    driver_mb: float
    executors_mb: float

    @property
    def speed(self) -> float:
        """Images per second."""
        return self.images / self.seconds


def measure(arguments: argparse.Namespace, step: Step) -> list[Result]:
    """Takes a tenth of the images, then all, from the source to the written features, each in a Spark of its own.

    The clock runs from the list of images to the written features, without the start of Spark.

    Raises:
        UserError: If the images are too few to tell growth from start-up.
    """
    if arguments.growth < LEAST:
        raise UserError(f"--growth is {arguments.growth}, but a tenth of it has to outlast start-up. Ask for {LEAST}.")
    tenth, everything = (_pass(number, step) for number in (arguments.growth // TENTH, arguments.growth))
    driver, executors = everything.driver_mb / tenth.driver_mb, everything.executors_mb / tenth.executors_mb
    notes = [
        f"Synthetic images at {SETTING}: {tenth.images:,} in {tenth.seconds:.1f} s, {everything.images:,} in {everything.seconds:.1f} s.",
        f"Peak memory of the driver: {tenth.driver_mb:,.0f} and {everything.driver_mb:,.0f} MiB ({driver:.2f} times); "
        f"of the largest executor with its Python workers: {tenth.executors_mb:,.0f} and {everything.executors_mb:,.0f} MiB ({executors:.2f} times).",
    ]
    holds = max(driver, executors) <= FLAT
    return [Result(NAME, "images/s", [everything.speed], [tenth.speed], bar=BAR, notes=notes, holds=holds)]


def _pass(images: int, step: Step) -> Passage:
    loader = load_configuration(SETTING, {"train_size": images - images // 6, "test_size": images // 6})
    parameters = loader["parameters"]
    spec = FeaturesSpec(**parameters["features"] | {"options": CHEAP})
    with tempfile.TemporaryDirectory() as name, start_run(loader, step) as (context, session):
        folder = Path(name)
        extractor = create_checked_extractor(spec)
        step(f"Ingestion and features of {images:,} synthetic images.")
        started = time.perf_counter()
        source = open_source("synthetic", options={"train_images": images, "test_images": images})
        subset = ingestion.SubsetSpec(**parameters["subset"])
        manifest = ingestion.select_images(ingestion.index_source(source), subset)
        written, info = ingestion.write_images(
            source, manifest, ingestion.IngestionSpec("fail"), context, folder / "images.parts"
        )
        table = stored_table(written, folder / "images")
        state = features.prepare_extractor(extractor, table, info, subset.seed)
        vectors, *_ = features.extract_features(table, info, extractor, state, spec, parameters, context)
        stored_table(vectors, folder / "features")
        seconds = time.perf_counter() - started
        peaks = [
            (one["peak_jvm_memory_mb"] or 0) + (one["peak_python_memory_mb"] or 0) for one in executor_peaks(session)
        ]
        return Passage(images, seconds, driver_usage()["peak_memory_mb"], max(peaks))
