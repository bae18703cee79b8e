import pickle
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.factories.training import make_job, make_pixels, write_images

from cifar_pipelines.networks import NetworkShape

IMAGES = 60
few = settings(max_examples=20)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """60 training images whose labels tell them apart, and 9 test images, in three files."""
    return write_images(tmp_path_factory.mktemp("images"), IMAGES, 9, parts=3)


def shards(job, workers):
    return [job.read_shard(rank, workers) for rank in range(workers)]


@given(batch_size=st.integers(1, 2000), workers=st.integers(1, 64))
def test_workers_together_take_exactly_one_batch(batch_size, workers):
    job = make_job((), 4000, recipe={"batch_size": batch_size})
    sizes = [job.batch_size(rank, workers) for rank in range(workers)]
    assert sum(sizes) == batch_size and max(sizes) - min(sizes) <= 1


@given(train_images=st.integers(1, 5000), batch_size=st.integers(1, 500))
def test_every_step_is_full(train_images, batch_size):
    steps = make_job((), train_images, recipe={"batch_size": batch_size}).steps
    assert steps * batch_size <= train_images < (steps + 1) * batch_size


@few
@given(workers=st.integers(1, 7), batch_size=st.integers(7, IMAGES))
def test_shards_are_disjoint_cover_all_images_and_fill_every_step(files, workers, batch_size):
    job = make_job(files, IMAGES, recipe={"batch_size": batch_size})
    labels = [shard.labels.tolist() for shard in shards(job, workers)]
    assert sorted(chain(*labels)) == list(range(IMAGES))
    for rank, mine in enumerate(labels):
        assert len(mine) >= job.steps * job.batch_size(rank, workers)


@few
@given(workers=st.integers(1, 7), batch_size=st.integers(7, IMAGES), epoch=st.integers(0, 3))
def test_no_image_is_shown_twice_in_an_epoch_of_all_workers(files, workers, batch_size, epoch):
    job = make_job(files, IMAGES, recipe={"batch_size": batch_size})
    shown = [
        label
        for rank, shard in enumerate(shards(job, workers))
        for _, found in shard.batches(epoch, job.steps, job.batch_size(rank, workers), job.recipe)
        for label in found.tolist()
    ]
    assert len(shown) == len(set(shown)) == job.steps * batch_size


@pytest.mark.parametrize("workers", [1, 2, 5, 9])
def test_validation_images_are_the_first_by_rank_and_shared_out(files, workers):
    job = make_job(files, IMAGES, validation_images=7)
    labels = [job.read_validation(rank, workers)[1].tolist() for rank in range(workers)]
    assert sorted(chain(*labels)) == list(range(7))


def test_validation_images_may_be_those_that_were_cut_from_training(tmp_path):
    files = write_images(tmp_path, 4, 3, size=2, validation=5)
    job = make_job(files, 4, shape=NetworkShape(2, 60), validation_images=4, validation_from="validation")
    images, labels = job.read_validation(0, 1)
    assert labels.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(images[1].permute(1, 2, 0).numpy(), make_pixels("validation", 1, 1, 2))


def test_a_worker_without_validation_images_gets_an_empty_share(files):
    images, labels = make_job(files, IMAGES, validation_images=1).read_validation(1, 2)
    assert images.shape == (0, 3, 16, 16) and images.dtype == torch.uint8 and labels.dtype == torch.int64


def test_images_come_with_their_labels_in_the_order_of_rank(files):
    images, labels = make_job(files, IMAGES, shape=NetworkShape(2, 60), validation_images=9).read_validation(0, 1)
    assert labels.tolist() == list(range(9))
    expected = np.stack([make_pixels("test", rank, rank, 2) for rank in range(9)])
    np.testing.assert_array_equal(images.permute(0, 2, 3, 1).numpy(), expected)


def test_images_are_resized_to_the_size_of_the_network(files):
    shard = make_job(files, IMAGES).read_shard(0, 1)
    assert shard.images.shape == (IMAGES, 3, 16, 16) and shard.images.dtype == torch.uint8


@pytest.mark.parametrize("parts", [1, 4])
def test_how_rows_are_spread_over_files_decides_nothing(parts, files, tmp_path, monkeypatch):
    monkeypatch.setattr("cifar_pipelines.training.job.READ_ROWS", 7)  # several batches per file
    others = write_images(tmp_path, IMAGES, 9, parts=parts, seed=parts)
    for rank in range(2):
        one = make_job(files, IMAGES).read_shard(rank, 2)
        other = make_job(others[::-1], IMAGES).read_shard(rank, 2)
        assert torch.equal(one.images, other.images) and torch.equal(one.labels, other.labels)


@pytest.mark.parametrize("workers", [2, 4, 5])
def test_every_worker_sees_every_class(workers, tmp_path):
    """In a stratified subset classes take turns by rank, so that taking every second image takes half the classes."""
    files = write_images(tmp_path, 400, classes=10)
    for shard in shards(make_job(files, 400, recipe={"batch_size": 20}), workers):
        counts = torch.bincount(shard.labels, minlength=10)
        expected = 40 / workers
        assert counts.min() >= expected / 4 and counts.max() <= 2.5 * expected


def test_images_that_were_left_out_take_no_others_with_them(tmp_path):
    files = write_images(tmp_path, 30, left_out=(0, 3, 4, 11))
    found = [shard.labels.tolist() for shard in shards(make_job(files, 26), 2)]
    assert sorted(chain(*found)) == sorted(set(range(30)) - {0, 3, 4, 11})


def test_files_may_be_named_by_path_or_by_address(tmp_path):
    addresses = write_images(tmp_path / "a folder & more %", 4)
    assert "%20" in addresses[0]
    paths = tuple(map(str, (tmp_path / "a folder & more %").iterdir()))
    by_address, by_path = (make_job(files, 4).read_shard(0, 1) for files in (addresses, paths))
    assert torch.equal(by_address.images, by_path.images)


def test_workers_have_seeds_of_their_own_and_the_same_first_weights(files):
    job = make_job(files, IMAGES)
    assert len({shard.seed for shard in shards(job, 3)}) == 3
    first, again = job.build_network(), pickle.loads(pickle.dumps(job)).build_network()
    assert all(torch.equal(*pair) for pair in zip(first.parameters(), again.parameters(), strict=True))
    assert first[0].weight.is_contiguous(memory_format=torch.channels_last)
