"""What the Spark benchmarks share: one session, the images on its executors, and the prepared extractor."""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from kedro.config import OmegaConfigLoader

from cifar_pipelines.common.configuration import PROJECT_PATH, load_configuration
from cifar_pipelines.common.lazy_types import DataFrame, SparkSession
from cifar_pipelines.datasets import SparkTableDataset
from cifar_pipelines.extractors import Extractor
from cifar_pipelines.pipelines.features import nodes as features
from cifar_pipelines.pipelines.features.specification import FeaturesSpec, create_checked_extractor
from cifar_pipelines.pipelines.ingestion import nodes as ingestion
from cifar_pipelines.sources import ImageSource, open_source
from cifar_pipelines.spark.run_context import RunContext
from cifar_pipelines.spark.session import SparkRuntime
from cifar_pipelines.spark.setting import setting_of
from cifar_pipelines.spark.spark_config import SparkConfig

SETTING = "exec_2x1"
RANDOM_WEIGHTS = "random-weights.pt"

Step = Callable[[str], None]


@dataclass(frozen=True)
class Workload:
    """Images and extractor on a running cluster.

    Attributes:
        session: The Spark session.
        context: The run, as the nodes of the pipelines want it.
        parameters: All its parameters.
        images: The image table, cached on the executors.
        images_info: What identifies it.
        extractor: The extractor.
        state: Its prepared state.
        spec: Precision, micro-batch and the like.
        source: Where the images come from.
    """

    session: SparkSession
    context: RunContext
    parameters: dict[str, Any]
    images: DataFrame
    images_info: dict[str, Any]
    extractor: Extractor
    state: dict[str, Any]
    spec: FeaturesSpec
    source: ImageSource

    @property
    def cores(self) -> int:
        """Cores of all executors, which is what the reference gets as threads."""
        return self.context.cluster.cores

    def first_images(self, count: int) -> DataFrame:
        """The first training images by rank, a stratified subset."""
        return self.images.where("split = 'train'").where(f"rank < {count}")

    def extract(self, images: DataFrame) -> tuple[DataFrame, dict[str, Any], dict[str, Any]]:
        """Extracts features as the features pipeline does: feature table, its description, run record."""
        return features.extract_features(
            images, self.images_info, self.extractor, self.state, self.spec, self.parameters, self.context
        )


@contextmanager
def open_workload(
    arguments: argparse.Namespace, train_size: int, test_size: int, step: Step, environment: str = SETTING
) -> Iterator[Workload]:
    """Selects images, starts Spark, reads the images on the executors and prepares the extractor.

    Args:
        arguments: The command line.
        train_size: Training images to select.
        test_size: Test images to select.
        step: Called with a sentence at every step.
        environment: The setting or study whose configuration counts.

    Yields:
        The workload; Spark ends with the block, also when the block is interrupted.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        weights_path = arguments.weights_path
        if weights_path is None and arguments.extractor.startswith("torchvision:"):
            step("No --weights-path: the network gets random weights, which have the same speed.")
            weights_path = random_weights(arguments.extractor, folder)
        given = {"extractor": arguments.extractor, "weights_path": weights_path, "input_size": arguments.input_size}
        loader = load_configuration(environment, {name: value for name, value in given.items() if value})
        parameters = loader["parameters"]
        spec = FeaturesSpec(**parameters["features"])
        if arguments.centroids:
            spec = replace(spec, options={"kmeans_patches": {"centroids": arguments.centroids}})
        extractor = create_checked_extractor(spec)

        step(f"Selecting {train_size} + {test_size} images of the source {arguments.source}.")
        source = open_source(arguments.source, arguments.source_path)
        source.check()
        seed = parameters["subset"]["seed"]
        subset = ingestion.SubsetSpec(train_size, test_size, seed)
        manifest = ingestion.select_images(ingestion.index_source(source), subset)

        context, session = stack.enter_context(start_run(loader, step))
        step("Reading the images on the executors.")
        on_bad_image = ingestion.IngestionSpec(on_bad_image="skip")
        written, info = ingestion.write_images(source, manifest, on_bad_image, context, folder / "images.parts")
        images = stored_table(written, folder / "images")
        step(f"Preparing {extractor.name}.")
        state = features.prepare_extractor(extractor, images, info, seed)
        yield Workload(session, context, parameters, images, info, extractor, state, spec, source)


def stored_table(table: Any, path: Path) -> Any:
    """Writes a table and reads it again, as the catalog does."""
    dataset = SparkTableDataset(filepath=str(path))
    dataset.save(table)
    return dataset.load()


@contextmanager
def start_run(loader: OmegaConfigLoader, step: Step) -> Iterator[tuple[RunContext, SparkSession]]:
    """Starts Spark as the configuration says; it ends with the block."""
    config = SparkConfig.from_config(loader["spark"])
    run_id = f"benchmarks-{datetime.now():%Y-%m-%dT%H.%M.%S}"
    runtime = SparkRuntime(setting_of(loader), replace(config, log_dir=str(PROJECT_PATH / config.log_dir)), run_id)
    try:
        yield RunContext(run_id, runtime.start(step)), runtime.session
    finally:
        runtime.stop()


def random_weights(extractor: str, folder: Path) -> str:
    """Saves random weights of a torchvision network, which have the same speed as trained ones; returns the file."""
    import torch
    from torchvision.models import get_model

    torch.manual_seed(0)
    path = folder / RANDOM_WEIGHTS
    torch.save(get_model(extractor.partition(":")[2], weights=None).state_dict(), path)
    return str(path)
