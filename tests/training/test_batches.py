import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cifar_pipelines.training.augmentation import build_augmentation
from cifar_pipelines.training.batches import PlacedShard, draw_places
from cifar_pipelines.training.draws import image_keys
from cifar_pipelines.training.mixing import Mixing

few = settings(max_examples=25, deadline=None)
AUGMENTATION = build_augmentation(["shift", "flip", {"erasing": {"probability": 1.0}}])


def make_shard(count, batch_size, rank=0, workers=1, seed=0):
    """What the worker of a rank has of images whose first pixel is their number."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (count, 3, 6, 6), dtype=torch.uint8, generator=generator)
    labels, places = torch.arange(count) % 3, draw_places(count, batch_size, seed)
    keys = image_keys([f"{number}" for number in range(count)])
    mine = places % workers == rank
    return PlacedShard(images[mine], labels[mine], keys[mine], places[mine], seed)


def global_batches(count, batch_size, workers, epoch=0, **how):
    """The batches of all workers together, in the order of the places."""
    steps = count // batch_size
    shards = [make_shard(count, batch_size, rank, workers) for rank in range(workers)]
    for parts in zip(*(shard.batches(epoch, steps, 3, **how) for shard in shards), strict=True):
        images, targets = (
            torch.empty(batch_size, *parts[0][kind].shape[1:], dtype=parts[0][kind].dtype) for kind in (0, 1)
        )
        for rank, part in enumerate(parts):
            images[rank::workers], targets[rank::workers] = part
        yield images, targets


def equal(one, other):
    pairs = list(zip(one, other, strict=True))
    return all(torch.equal(a, b) for batches in pairs for a, b in zip(*batches, strict=True))


@few
@given(
    batch_size=st.integers(1, 9), steps=st.integers(1, 4), rest=st.integers(0, 8), workers=st.integers(2, 4),
    mixing=st.sampled_from([None, Mixing(), Mixing(0.4), Mixing(cutmix=1.0), Mixing(0.2, 1.0)]),
)  # fmt: skip
def test_any_number_of_workers_sees_the_same_augmented_batches(batch_size, steps, rest, workers, mixing):
    count, workers = batch_size * steps + rest % batch_size, min(workers, batch_size)
    how = {"augmentation": AUGMENTATION, "mixing": mixing, "epoch": 3}
    assert equal(global_batches(count, batch_size, 1, **how), global_batches(count, batch_size, workers, **how))


def test_the_same_run_twice_is_equal_and_two_epochs_differ():
    how = {"augmentation": AUGMENTATION, "mixing": Mixing(0.4)}
    first = list(global_batches(24, 6, 2, **how))
    assert equal(first, global_batches(24, 6, 2, **how))
    assert not any(
        torch.equal(a[0], b[0]) for a, b in zip(first, global_batches(24, 6, 2, epoch=1, **how), strict=True)
    )


@few
@given(batch_size=st.integers(1, 7), steps=st.integers(1, 5), rest=st.integers(0, 6))
def test_every_image_comes_at_most_once_in_an_epoch_and_the_rest_sits_out(batch_size, steps, rest):
    count = batch_size * steps + rest % batch_size
    images = torch.cat([images for images, _ in make_shard(count, batch_size).batches(0, steps, 3)])
    assert len(images) == steps * batch_size and len(images.unique(dim=0)) == len(images)


def test_others_sit_out_in_another_epoch():
    shard = make_shard(11, 4)
    seen = [{image.sum().item() for images, _ in shard.batches(epoch, 2, 3) for image in images} for epoch in range(6)]
    assert len({frozenset(one) for one in seen}) > 1


def test_mixing_of_nothing_is_no_mixing():
    plain, nothing = (list(global_batches(20, 5, 1, augmentation=AUGMENTATION, mixing=one)) for one in (None, Mixing()))
    assert equal(plain, nothing) and plain[0][1].dtype == torch.int64


@pytest.mark.parametrize("count", [20, 23])
def test_an_image_is_mixed_with_the_next_one_at_its_place(count):
    shard = make_shard(count, 5)
    plain = [images.float() for images, _ in shard.batches(2, 4, 3)]
    labels = [labels for _, labels in shard.batches(2, 4, 3)]
    mixed = list(shard.batches(2, 4, 3, mixing=Mixing(0.7)))
    for step in range(3):
        images, shares = mixed[step]
        own = (shares[torch.arange(5), labels[step]]).view(-1, 1, 1, 1)
        different = labels[step] != labels[step + 1]
        expected = own * plain[step] + (1 - own) * plain[step + 1]
        torch.testing.assert_close(images.float()[different], expected[different], rtol=0, atol=0.51)
    assert mixed[3][0].shape == (5, 3, 6, 6)


def test_features_pass_as_they_are():
    shard = make_shard(12, 4)
    features = PlacedShard(torch.rand(12, 7), shard.labels, shard.keys, shard.places, 0)
    batches = list(features.batches(0, 3, 3))
    assert {tuple(row) for batch, _ in batches for row in batch.tolist()} == {
        tuple(row) for row in features.images.tolist()
    }


def test_a_place_that_is_short_of_images_begins_again():
    shard = make_shard(12, 4)
    fewer = PlacedShard(shard.images[:-1], shard.labels[:-1], shard.keys[:-1], shard.places[:-1], 0)
    batches = [images for images, _ in fewer.batches(0, 3, 3)]
    assert [len(images) for images in batches] == [4, 4, 4] and len(torch.cat(batches).unique(dim=0)) == 11
