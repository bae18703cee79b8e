"""Whether the memory of driver and executors stays the same over many micro-batches of tiny frames, of which none may be lost."""

import argparse
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.result import Bar, Result
from benchmarks.workload import SETTING, Step, start_run, stored_table
from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.lazy_types import SparkSession
from cifar_pipelines.common.polling import Polling
from cifar_pipelines.pipelines.features import nodes as features
from cifar_pipelines.pipelines.features.specification import FeaturesSpec, create_checked_extractor
from cifar_pipelines.pipelines.ingestion import nodes as ingestion
from cifar_pipelines.pipelines.streaming import learn_node, nodes
from cifar_pipelines.sources import open_source
from cifar_pipelines.streaming.journal import committed
from cifar_pipelines.streaming.landing import Landing
from cifar_pipelines.streaming.wire import Frame, StreamImage

NAME = "stream_memory"
FLAT = Bar(1.10, at_least=False)
SAMPLES = 10
BATCH, FRAMES = 4, 10  # images of a frame, and frames of a micro-batch: 20,000 of 2,000
LEARNERS = ["stream_nearest_class_mean", "stream_sgd_logistic"]
Memory = tuple[float, float]  # MiB of driver and executors


def measure(arguments: argparse.Namespace, step: Step) -> list[Result]:
    """Learns small images, ten frames of them a micro-batch, and looks at the memory ten times.

    The driver's is that of its Python process and what lives in its JVM after a collection: a JVM takes memory that it is allowed to
    take, whether it needs it or not. The executors' is what their processes hold.
    """
    count = arguments.micro_batches * FRAMES
    given = {"train_size": 100, "test_size": 100, "extractor": "pixels", "input_size": 8}
    loader = load_configuration(SETTING, given)
    parameters = loader["parameters"]
    spec = FeaturesSpec(**parameters["features"])
    with tempfile.TemporaryDirectory() as name, start_run(loader, step) as (context, session):
        folder = Path(name)
        source = open_source("synthetic", options={"train_images": 100, "test_images": 100})
        manifest = ingestion.select_images(ingestion.index_source(source), ingestion.SubsetSpec(**parameters["subset"]))
        written, info = ingestion.write_images(
            source, manifest, ingestion.IngestionSpec("fail"), context, folder / "images.parts"
        )
        extractor = create_checked_extractor(spec)
        table = stored_table(written, folder / "images")
        vectors, described, _ = features.extract_features(table, info, extractor, {}, spec, parameters, context)
        step(f"Landing {count:,} frames of {BATCH} images.")
        _land(folder / "landing", source, manifest, info["class_names"], count)
        block = parameters["streaming"] | {
            "landing": str(folder / "landing"), "selected": LEARNERS, "frames_per_trigger": FRAMES, "holdout_images": 50,
        }  # fmt: skip
        stream = nodes.configure_stream(block)
        course = nodes.plan_course(table, vectors, described, info, stream, 1)
        step(f"Learning them in {arguments.micro_batches:,} micro-batches.")
        samples: list[Memory] = []
        with Polling(_sampler(session, folder / "landing", count, samples, step), 0.5):
            *_, log = learn_node.learn(
                course, stream, described, {}, spec, folder / "commits", folder / "stored", context
            )
    if len(samples) < SAMPLES:
        raise UserError(
            f"The memory was looked at {len(samples)} times, in place of {SAMPLES}: give more --micro-batches."
        )
    driver, executors = (samples[-1][place] / samples[0][place] for place in (0, 1))
    notes = [
        f"MiB after every tenth: driver {', '.join(f'{one:.0f}' for one, _ in samples)}; executors {', '.join(f'{one:.0f}' for _, one in samples)}."
    ]
    whole = log["sequence"].tolist() == list(range(1, count + 1)) and bool((log["images"] == BATCH).all())
    notes.append(f"{'Each' if whole else 'NOT EACH'} of {count:,} frames was learned once, in its order.")
    return [Result(NAME, "times", [max(driver, executors)], bar=FLAT, notes=notes, holds=whole)]


def _land(folder: Path, source: object, manifest: object, classes: list[str], count: int) -> None:
    train = manifest[manifest["split"] == "train"]
    labels = dict(zip(train["image_id"], train["label"], strict=True))
    images = [StreamImage(one, int(labels[one]), image) for one, image in source.read(train["image_id"].tolist())]
    with Landing(folder, count, ["bench"]) as landing:
        landing.admit("bench", {"digest": "bench", "classes": classes}, "bench")
        for number in range(1, count + 1):
            part = tuple(images[(number * BATCH + place) % len(images)] for place in range(BATCH))
            landing.land("bench", Frame(number, 0, 1.0, 1.0, part))
        landing.end("bench", count)


def _sampler(session: SparkSession, landing: Path, count: int, samples: list[Memory], step: Step) -> Callable[[], None]:
    """Looks at the memory whenever another tenth is learned."""

    def look() -> None:
        if committed(landing) >= count * (len(samples) + 1) // SAMPLES and len(samples) < SAMPLES:
            samples.append(_memory(session))
            step(f"{committed(landing):,} frames: driver {samples[-1][0]:.0f} MiB, executors {samples[-1][1]:.0f} MiB.")

    return look


def _memory(session: SparkSession) -> Memory:
    machine = session.sparkContext._jvm.java.lang
    machine.System.gc()
    runtime = machine.Runtime.getRuntime()
    own = psutil.Process()
    driver = own.memory_info().rss + runtime.totalMemory() - runtime.freeMemory()
    executors = 0
    for child in own.children(recursive=True):
        with suppress(psutil.Error):  # it has ended meanwhile
            line = " ".join(child.cmdline())
            if "CoarseGrainedExecutorBackend" in line or "pyspark.daemon" in line:
                executors += child.memory_info().rss
    return driver / 2**20, executors / 2**20
