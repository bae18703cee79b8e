"""Training of the CNN by both engines against a bare PyTorch loop with the same network and recipe."""

import argparse
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

from benchmarks.result import Bar, Result
from benchmarks.workload import Step, stored_table
from cifar_pipelines.common.configuration import PROJECT_PATH, load_configuration
from cifar_pipelines.common.lazy_types import DataFrame
from cifar_pipelines.datasets import TrainedNetworkDataset
from cifar_pipelines.engines import engine_names
from cifar_pipelines.engines.bigdl import bigdl_jars
from cifar_pipelines.pipelines import prediction
from cifar_pipelines.pipelines.bigdl_cnn import nodes
from cifar_pipelines.pipelines.bigdl_cnn.specification import CnnSpec, specify_cnn
from cifar_pipelines.pipelines.ingestion import nodes as ingestion
from cifar_pipelines.records.model_report import FitReport
from cifar_pipelines.sources import open_source
from cifar_pipelines.spark.run_context import RunContext
from cifar_pipelines.spark.session import SparkRuntime
from cifar_pipelines.spark.setting import setting_of
from cifar_pipelines.spark.spark_config import SparkConfig
from cifar_pipelines.training.checkpoint import forget
from cifar_pipelines.training.job import TrainingJob

NAME = "cnn_training"
NETWORK = "airbench"
BAR = Bar(0.90, at_least=True)
OVERHEAD_BAR = Bar(15, at_least=False)
EPOCHS = 4  # the first one warms up


@dataclass(frozen=True)
class CnnWorkload:
    """A running session at one setting, with the image table as its workers read it.

    Attributes:
        context: The run.
        parameters: All its parameters.
        images: The image table.
        info: What identifies it.
        folder: A folder for checkpoints and networks.
    """

    context: RunContext
    parameters: dict[str, Any]
    images: DataFrame
    info: dict[str, Any]
    folder: Path


@contextmanager
def open_setting(
    arguments: argparse.Namespace, setting: str, sizes: tuple[int, int], step: Step
) -> Iterator[CnnWorkload]:
    """Starts Spark at a setting and writes training and test images as a table; Spark ends with the block."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        loader = load_configuration(setting)
        source = open_source(arguments.source, arguments.source_path)
        seed = loader["parameters"]["subset"]["seed"]
        manifest = ingestion.select_images(ingestion.index_source(source), ingestion.SubsetSpec(*sizes, seed))
        shape = setting_of(loader)
        config = SparkConfig.from_config(loader["spark"])
        run_id = f"benchmarks-{datetime.now():%Y-%m-%dT%H.%M.%S}"
        config = replace(config, log_dir=str(PROJECT_PATH / config.log_dir))
        runtime = SparkRuntime(shape, config, run_id, bigdl_jars())
        stack.callback(runtime.stop)
        context = RunContext(run_id, runtime.start(step), shape)
        step("Writing the images.")
        on_bad_image = ingestion.IngestionSpec("skip")
        written, info = ingestion.write_images(source, manifest, on_bad_image, context, folder / "images.parts")
        stored = stored_table(written, folder / "images")
        yield CnnWorkload(context, loader["parameters"], stored, info, folder)


def measure(arguments: argparse.Namespace, step: Step) -> list[Result]:
    """Trains in turn: the bare loop with 2 threads here, each engine at `exec_2x2`; then Orca at `exec_2x1`.

    Speed is that of all epochs but the first, in which every new process is slower; validation and start-up are
    left out.
    """
    speeds: dict[str, list[float]] = {name: [] for name in ("bare", *engine_names(), "exec_2x1")}
    cold: dict[str, list[float]] = {name: [] for name in engine_names()}
    overheads, parts = [], []
    sizes = (arguments.images, 200)
    with open_setting(arguments, "exec_2x2", sizes, step) as work:
        sides = deque(["bare", *engine_names()])
        for repeat in range(arguments.repeats):
            for side in sides:
                what = "bare PyTorch loop" if side == "bare" else f"{side} at exec_2x2"
                step(f"CNN, round {repeat + 1} of {arguments.repeats}: {what}.")
                if side == "bare":
                    speeds[side].append(bare_loop(_job(work), threads=2))
                    continue
                history, fit, prediction_s = _fit_and_predict(work, side)
                speeds[side].append(images_per_s(history))
                cold[side].append(float(history["images_per_s"][0]))
                if side == "bigdl":
                    overheads.append(fit.timings.engine_overhead_s + prediction_s)
                    parts.append(fit.workers[0])
            sides.rotate()  # a host that gets slower while a round lasts favours no side
    with open_setting(arguments, "exec_2x1", sizes, step) as work:
        for repeat in range(arguments.repeats):
            step(f"CNN, round {repeat + 1} of {arguments.repeats}: bigdl at exec_2x1.")
            speeds["exec_2x1"].append(images_per_s(_fit_and_predict(work, "bigdl")[0]))
    last = parts[-1]
    return [
        *(
            Result(
                f"cnn_{engine}", "images/s", speeds[engine], speeds["bare"], BAR,
                [f"First epoch, which is left out on both sides: {median(cold[engine]):,.0f} images/s."],
            )
            for engine in engine_names()
        ),
        Result(
            "cnn_exec_2x1_over_2x2", "images/s", speeds["exec_2x1"], speeds["bigdl"],
            notes=["Two workers of one core against one of two; measured one after the other, not in turn."],
        ),
        Result(
            "orca_overhead", "s", overheads, bar=OVERHEAD_BAR,
            notes=[
                "Fit and predict, less training, validation and prediction themselves; of the last fit: "
                f"{last.read_s:.1f} s reading images, {last.checkpoint_s:.1f} s checkpoints."
            ],
        ),
    ]  # fmt: skip


def bare_loop(job: TrainingJob, threads: int) -> float:
    """The same network, data and recipe in one process without Spark; returns images/s of all epochs but the first."""
    import time

    import torch
    from torch.nn.functional import cross_entropy

    from cifar_pipelines.training.recipe import create_optimizer, set_learning_rate
    from cifar_pipelines.training.shard import normalise

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    network, shard, recipe = job.build_network(), job.read_shard(0, 1), job.recipe
    network.initialise(normalise(shard.images[:2000]))
    optimizer, steps = create_optimizer(network, recipe), job.steps * recipe.epochs
    network.train()
    started, number = 0.0, 0
    for epoch in range(recipe.epochs):
        if epoch == 1:
            started = time.perf_counter()
        for images, labels in shard.batches(epoch, job.steps, recipe.batch_size, recipe):
            set_learning_rate(optimizer, recipe.schedule(number, steps))
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=job.precision == "bf16"):
                logits = network(images)
            loss = cross_entropy(logits.float(), labels, label_smoothing=recipe.label_smoothing)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            number += 1
    seconds = time.perf_counter() - started
    torch.set_num_threads(before)
    return (number - job.steps) * recipe.batch_size / seconds


def _spec(work: CnnWorkload, engine: str) -> CnnSpec:
    spec = specify_cnn(NETWORK, engine, work.parameters["bigdl_cnn"])
    return replace(spec, recipe=replace(spec.recipe, epochs=EPOCHS), validation_images=200)


def _job(work: CnnWorkload) -> TrainingJob:
    from cifar_pipelines.common.precision import resolve_precision
    from cifar_pipelines.networks import NetworkShape

    spec = _spec(work, "bigdl")
    return TrainingJob(
        spec.network, spec.options, NetworkShape(spec.image_size, len(work.info["class_names"])), spec.recipe,
        resolve_precision(spec.recipe.precision), work.parameters["subset"]["seed"],
        tuple(work.images.inputFiles()), work.info["train_size"], spec.validation_images, "",
    )  # fmt: skip


def _fit_and_predict(work: CnnWorkload, engine: str) -> tuple[pd.DataFrame, FitReport, float]:
    """The history, what the fit reports, and the seconds of the prediction node that are not prediction."""
    import time

    spec, checkpoints = _spec(work, engine), work.folder / "checkpoints"
    seed = work.parameters["subset"]["seed"]
    configuration = nodes.check_checkpoint(spec, checkpoints, work.info, seed, work.context)
    network, history, fit = nodes.train_cnn(
        work.images, work.info, spec, configuration, checkpoints, seed, work.context
    )
    forget(checkpoints, work.context.run_id)  # a further fit begins anew
    dataset = TrainedNetworkDataset(filepath=str(work.folder / "network.pt"))
    dataset.save(network)
    started = time.perf_counter()
    _, report = prediction.predict_judged(dataset.load(), work.images, work.info, spec, work.context)
    return history, fit, time.perf_counter() - started - sum(report.predict_s)


def images_per_s(history: pd.DataFrame) -> float:
    """Images per second of all epochs but the first."""
    warm = history[1:]
    return float((warm["images_per_s"] * warm["seconds"]).sum() / warm["seconds"].sum())
