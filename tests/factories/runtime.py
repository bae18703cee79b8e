"""Spark runtimes for the tests; processes of a test import it too."""

from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.spark.session import SparkRuntime
from cifar_pipelines.spark.setting import ParallelismSetting
from cifar_pipelines.spark.spark_config import SparkConfig

_DICTIONARY = "features.options.kmeans_patches"
# Parameters of a run of a few seconds: learning the dictionary would take most of its time.
SMALL = f"train_size=60,test_size=20,{_DICTIONARY}.centroids=8,{_DICTIONARY}.patches=2000"

# In a process of its own: starts a runtime with the arguments cores, cores per executor, memory, Master, seconds to wait,
# folder.
START_RUNTIME = """
import sys
import cifar_pipelines
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.spark.session import active_session
from tests.factories.runtime import make_runtime

cores, executor_cores, memory, master, timeout, folder = sys.argv[1:]
changes = {"master": master, "executors_timeout_s": float(timeout)}
runtime = make_runtime(int(cores), int(executor_cores), memory, folder, **changes)
try:
    info = runtime.start(on_step=lambda step: None)
except UserError as error:
    print("refused:", error)
    sys.exit()
"""

# Measuring all processes again and again, and compiling to the last what runs for seconds, take processor time from the tests; whole
# runs do both.
LIGHT = {"spark.executor.metrics.pollingInterval": 10_000, "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1"}


def make_runtime(cores, executor_cores, memory, log_dir, jars=(), **changes) -> SparkRuntime:
    """A runtime with the project's configuration of Spark; it is not started yet."""
    block = load_configuration()["spark"] | {"log_dir": str(log_dir)} | changes
    config = SparkConfig.from_config(block | {"properties": block["properties"] | LIGHT})
    return SparkRuntime(ParallelismSetting(cores, executor_cores, memory), config, "tests", jars)


def ingest(source, manifest, spec, run_context, folder, *validation):
    """The image table as the catalog stores and loads it, and what identifies it."""
    from cifar_pipelines.datasets import SparkTableDataset
    from cifar_pipelines.pipelines.ingestion.nodes import write_images

    written, info = write_images(source, manifest, spec, run_context, folder / "images.parts", *validation)
    dataset = SparkTableDataset(filepath=str(folder / "images"))
    dataset.save(written)
    return dataset.load(), info
