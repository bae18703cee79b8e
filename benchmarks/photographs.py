"""Ingestion and features of photographs of 12 megapixels against a bare loop that decodes and resizes them."""

import argparse
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.result import Bar, Result
from benchmarks.workload import SETTING, Step, random_weights, start_run, stored_table
from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.images import load_batch
from cifar_pipelines.pipelines.features import nodes as features
from cifar_pipelines.pipelines.features.specification import FeaturesSpec, create_checked_extractor
from cifar_pipelines.pipelines.ingestion import nodes as ingestion
from cifar_pipelines.sources import open_source
from cifar_pipelines.spark.timing import executor_peaks

NAME = "photographs"
BAR = Bar(0.70, at_least=True)
EXTRACTOR = "torchvision:mobilenet_v2"
WIDTH, HEIGHT = 4000, 3000
NOISE = 6.0  # standard deviation in grey levels, by which a file gets 3.5 MB
QUALITY = 92
CLASSES = ("inside", "outside")
TEST_SHARE = 0.2
LEAST = 10


def measure(arguments: argparse.Namespace, step: Step) -> list[Result]:
    """Makes photographs, runs ingestion and features on them, and decodes and resizes the same files in a bare loop.

    The clock of the pipelines begins when Spark has started, and covers all that they do from the list of files to
    the written table of features. The bare loop decodes whole files with Pillow, as most people write it, in as many
    threads as the executors have cores.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        step(f"Making {arguments.photographs} photographs.")
        files = make_photographs(folder / "photographs", arguments.photographs)
        size_mb = sum(file.stat().st_size for file in files) / len(files) / 1e6
        weights = arguments.weights_path or random_weights(EXTRACTOR, folder)
        loader = load_configuration(SETTING, {"extractor": EXTRACTOR, "weights_path": weights})
        parameters = loader["parameters"]
        context, session = stack.enter_context(start_run(loader, step))
        spec = FeaturesSpec(**parameters["features"])
        extractor = create_checked_extractor(spec)

        step("Ingestion and features of the photographs.")
        started = time.perf_counter()
        source = open_source("image_folder", str(folder / "photographs"))
        test_size = round(len(files) * TEST_SHARE)
        subset = ingestion.SubsetSpec(len(files) - test_size, test_size, parameters["subset"]["seed"])
        manifest = ingestion.select_images(ingestion.index_source(source), subset)
        on_bad_image = ingestion.IngestionSpec("fail")
        written, info = ingestion.write_images(source, manifest, on_bad_image, context, folder / "images.parts")
        images = stored_table(written, folder / "images")
        ingested_s = time.perf_counter() - started
        state = features.prepare_extractor(extractor, images, info, subset.seed)
        table, *_ = features.extract_features(images, info, extractor, state, spec, parameters, context)
        stored_table(table, folder / "features")
        seconds = time.perf_counter() - started

        peaks = executor_peaks(session)
        size, cores = extractor.input_size, context.cluster.cores
        step("Bare loop over the same files.")
        bare = _speed(files, cores, lambda file: _decode_and_resize(file, size))
        reduced = _speed(files, cores, lambda file: load_batch([file.read_bytes()], size))
    memory = "; ".join(f"{one['peak_jvm_memory_mb']} + {one['peak_python_memory_mb']}" for one in peaks)
    notes = [
        f"{len(files)} JPEG files of {WIDTH}x{HEIGHT} pixels, {size_mb:.1f} MB each; {SETTING}, {EXTRACTOR}.",
        f"Ingestion took {ingested_s:.1f} s, features {seconds - ingested_s:.1f} s.",
        f"A bare loop that decodes at a reduced size, as ours do: {reduced:.1f} images/s.",
        f"Peak memory of executors, JVM + Python workers in MiB: {memory}.",
    ]
    return [Result(NAME, "images/s", [len(files) / seconds], [bare], bar=BAR, notes=notes)]


def make_photographs(folder: Path, count: int) -> list[Path]:
    """Writes photographs of smooth colours under fine noise, in the layout of an image folder with two classes.

    Args:
        folder: Where to.
        count: How many; a fifth of them are test images.

    Returns:
        The files.

    Raises:
        UserError: They are fewer than ten.
    """
    if count < LEAST:
        raise UserError(
            f"{count} photographs are too few for two classes of training and test images. Ask for {LEAST}."
        )
    tests = round(count * TEST_SHARE)
    files = []
    for number in range(count):
        split = "test" if number < tests else "train"
        files.append(folder / split / CLASSES[number % 2] / f"{number:05}.jpg")
    for parent in {file.parent for file in files}:
        parent.mkdir(parents=True)
    grain = np.random.default_rng(0).normal(0, NOISE, (HEIGHT, WIDTH, 1)).astype(np.int16)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda file: _photograph(file, grain), files))
    return files


def _photograph(file: Path, grain: np.ndarray) -> None:
    from PIL import Image

    random = np.random.default_rng(int(file.stem))
    coarse = Image.fromarray(random.integers(40, 216, (12, 16, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
    moved = np.roll(grain, tuple(random.integers(0, (HEIGHT, WIDTH))), (0, 1))
    Image.fromarray(np.clip(smooth + moved, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=QUALITY)


def _decode_and_resize(file: Path, size: int) -> np.ndarray:
    from PIL import Image

    with Image.open(file) as image:
        return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR))


def _speed(files: list[Path], threads: int, work: Callable[[Path], Any]) -> float:
    import torch

    torch.set_num_threads(1)
    started = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, files):
            pass
    return len(files) / (time.perf_counter() - started)
