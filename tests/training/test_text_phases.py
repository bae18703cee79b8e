"""Phases on texts: batches by length, learning, and going on after a kill."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.factories.encoders import write_encoder
from tests.factories.texts import review
from tests.factories.transfer import digest, phases_of

pytest.importorskip("transformers")
import torch

from cifar_pipelines.backbones import create_backbone
from cifar_pipelines.common.tables import IMAGES
from cifar_pipelines.training.batches import BUCKET_STEPS, PlacedShard, draw_places
from cifar_pipelines.training.checkpoint import Checkpoint
from cifar_pipelines.training.draws import image_keys
from cifar_pipelines.training.phase_job import PhaseJob, first_weights, write_start
from cifar_pipelines.training.process import train_alone
from cifar_pipelines.training.worker import TrainingWorker

TEXTS = 64
ALL = {
    "train": "all",
    "epochs": 6,
    "batch_size": 8,
    "optimiser": {"name": "adamw", "learning_rate": 0.01, "clip": 1.0},
    "schedule": {"name": "constant"},
}


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """Returns a function that makes the job of one phase in a folder, with the start of its network."""
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("texts")
    folder = write_encoder(root, initializer_range=0.1)
    name = f"transformers:{folder}"
    for split, count, first in (("train", TEXTS, 0), ("validation", 16, 1000)):
        rows = [(f"{split}/{n}", n % 2, split, n, review(first + n, n % 2).encode(), 1, 9) for n in range(count)]
        pq.write_table(_table(rows), root / f"{split}.parquet")
    spec = create_backbone(name).input_spec(max_tokens=13)
    start = create_backbone(name, spec)

    def make(folder, *phases):
        checkpoint = Checkpoint(folder)
        checkpoint.begin({})
        if not checkpoint.holds_state:
            torch.manual_seed(3)
            write_start(checkpoint, start.build(2).state_dict())
        return PhaseJob(
            backbone=name, classes=2, input=spec, phase=phases_of(*phases or (ALL,))[0], number=1, seed=7, keep="best",
            validation=("validation", 16), loader="memory", precision="fp32",
            files=tuple(str(root / f"{split}.parquet") for split in ("train", "validation")), train_images=TEXTS,
            checkpoint=str(folder),
        )  # fmt: skip

    return make


def _table(rows):
    import pyarrow as pa

    return pa.Table.from_batches([IMAGES.batch(*map(list, zip(*rows, strict=True)))])


@pytest.fixture(scope="module")
def whole(job, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    train_alone(job(folder), 1)
    return folder


def test_it_learns_and_counts_what_was_cut(whole):
    history = Checkpoint(whole).history()
    assert min(row["loss"] for row in history) < 0.3 and max(row["validation_accuracy"] for row in history) > 0.85
    (report,) = Checkpoint(whole).reports()
    assert 0 < report["truncated"] < TEXTS


@pytest.mark.parametrize("epochs", [0, 2])
def test_a_training_that_is_killed_ends_with_the_same_bits(job, whole, tmp_path, monkeypatch, epochs):
    class KilledError(Exception):
        pass

    end_epoch, done = TrainingWorker.end_epoch, 0

    def count(worker):
        nonlocal done
        if done == epochs:
            raise KilledError
        end_epoch(worker)
        done += 1

    monkeypatch.setattr(TrainingWorker, "end_epoch", count)
    with pytest.raises(KilledError):
        train_alone(job(tmp_path), 1)
    monkeypatch.setattr(TrainingWorker, "end_epoch", end_epoch)
    train_alone(job(tmp_path), 1)
    assert digest(first_weights(str(tmp_path), 2)) == digest(first_weights(str(whole), 2))


def lengths_of_batches(workers, steps=2 * BUCKET_STEPS + 3, batch_size=6, bucketed=True):
    count = steps * batch_size + 2
    lengths = np.random.default_rng(0).integers(3, 100, count)
    keys, places = image_keys([str(number) for number in range(count)]), draw_places(count, batch_size, 5)
    found = []
    for rank in range(workers):
        mine = places % workers == rank
        texts = torch.from_numpy(lengths)[mine]
        shard = PlacedShard(texts, texts, keys[mine], places[mine], 5, lengths[mine] if bucketed else None)
        found.append([batch.numpy() for batch, _ in shard.batches(1, steps, 2)])
    return [np.sort(np.concatenate(batches)) for batches in zip(*found, strict=True)]


def test_batches_of_about_the_same_length_are_the_same_for_any_number_of_workers():
    one = lengths_of_batches(1)
    for workers in (2, 3):
        for first, second in zip(one, lengths_of_batches(workers), strict=True):
            np.testing.assert_array_equal(first, second)
    padded, plain = (
        sum(batch.max() * len(batch) for batch in batches) for batches in (one, lengths_of_batches(1, bucketed=False))
    )
    assert padded < 0.8 * plain
    assert sum(map(len, one)) == sum(map(len, lengths_of_batches(1, bucketed=False)))
