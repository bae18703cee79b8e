"""Recipes, image tables and trainings for the tests; processes of a test import it too."""

import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from cifar_pipelines.common.images import encode_png
from cifar_pipelines.common.options import build
from cifar_pipelines.common.tables import IMAGES
from cifar_pipelines.networks import NetworkShape
from cifar_pipelines.training.job import TrainingJob
from cifar_pipelines.training.recipe import Recipe, create_optimizer
from cifar_pipelines.training.worker import TrainingWorker

RECIPE = {
    "epochs": 2,
    "batch_size": 5,
    "learning_rate": 0.1,
    "bias_learning_rate_factor": 1.0,
    "momentum": 0.9,
    "weight_decay": 0.0,
    "label_smoothing": 0.0,
    "warm_up": 0.25,
    "final_learning_rate": 0.05,
    "crop_padding": 0,
    "flip": False,
    "cutout": 0,
    "averaging": 0.0,
    "flip_at_test": False,
    "precision": "fp32",
}


def make_recipe(**changes) -> Recipe:
    return build(Recipe, RECIPE | changes, "the recipe")


def make_pixels(split, rank, label, size):
    """Noise, brighter by label, that depends on split and rank."""
    noise = np.random.default_rng([rank, split == "test"]).integers(0, 100, (size, size, 3))
    return (noise + 70 * (label % 3)).astype(np.uint8)


def write_images(
    folder, train, test=0, *, size=2, classes=None, parts=1, seed=0, left_out=(), validation=0
) -> tuple[str, ...]:
    """Writes an image table as Spark does: rows in any order, in any number of files.

    The label of an image is its rank, or its rank modulo `classes`.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for split, count in (("train", train), ("test", test), ("validation", validation)):
        for rank in range(count):
            if split == "train" and rank in left_out:
                continue
            label = rank % (classes or count)
            image = encode_png(make_pixels(split, rank, label, size))
            rows.append((f"{split}-{rank:05d}", label, split, rank, image, size, size))
    order = np.random.default_rng(seed).permutation(len(rows))
    files = []
    for part, places in enumerate(np.array_split(order, parts)):
        columns = list(zip(*(rows[place] for place in places), strict=True)) or [()] * len(IMAGES.names)
        files.append(folder / f"part-{part:05d}.snappy.parquet")
        pq.write_table(pa.Table.from_batches([IMAGES.batch(*columns)]), files[-1])
    return tuple(file.as_uri() for file in files)


def make_job(files, train_images, checkpoint="nowhere", **changes) -> TrainingJob:
    """A small training of lenet; changes of the recipe are given as `recipe`."""
    fields = {
        "network": "lenet",
        "options": {},
        "shape": NetworkShape(16, 3),
        "recipe": {},
        "precision": "fp32",
        "seed": 7,
        "validation_images": 0,
    }
    fields |= changes
    fields["recipe"] = make_recipe(**fields["recipe"])
    return TrainingJob(files=files, train_images=train_images, checkpoint=str(checkpoint), **fields)


def begin_worker(job) -> TrainingWorker:
    """A worker of the process group, as an engine sets it up."""
    network = job.build_network()
    optimizer = create_optimizer(network, job.recipe)
    return TrainingWorker(job, network, optimizer, DistributedDataParallel(network), time.perf_counter())


def run_epoch(worker) -> None:
    for images, labels in worker.trainer.begin_epoch():
        worker.trainer.backward(worker.forward(images, labels))
    worker.end_epoch()


def train_to_the_end(job) -> TrainingWorker:
    worker = begin_worker(job)
    while not worker.done:
        run_epoch(worker)
    return worker


def train_in_process(rank, workers, folder, jobs) -> None:
    """What one of several processes does: all jobs in turn; leaves weights and histories in the folder."""
    torch.set_num_threads(1)
    store = dist.FileStore(str(Path(folder) / "store-of-all"), workers)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=workers)
    try:
        results = []
        for job in jobs:
            worker = train_to_the_end(job)
            network = worker.trainer.network
            parameters = {name: value.detach() for name, value in network.named_parameters()}
            results.append({"parameters": parameters, "history": worker.history})
        torch.save(results, Path(folder) / f"rank{rank}.pt")
        dist.barrier()
    finally:
        dist.destroy_process_group()
