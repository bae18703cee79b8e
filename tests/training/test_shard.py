import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.factories.training import make_recipe

from cifar_pipelines.training.shard import MEAN, STD, Shard, normalise

PLAIN, FLIPPED = make_recipe(), make_recipe(flip=True)
AUGMENTED = make_recipe(flip=True, crop_padding=1, cutout=2)
few = settings(max_examples=25)


def make_shard(count, seed=0, size=4):
    """Labels are places in the shard; the left half of every image is dark, the right one bright."""
    images = torch.zeros(count, 3, size, size, dtype=torch.uint8)
    images[..., size // 2 :] = 200
    return Shard(images, torch.arange(count), seed)


def labels(shard, epoch, steps, batch_size, recipe=PLAIN):
    return torch.cat([found for _, found in shard.batches(epoch, steps, batch_size, recipe)]).tolist()


def sides(shard, epoch, batch_size):
    """Whether each image of an epoch was mirrored, by its place in the shard."""
    steps = len(shard.images) // batch_size
    return {
        int(label): bool(image[0, 0, 0] > image[0, 0, -1])
        for images, found in shard.batches(epoch, steps, batch_size, FLIPPED)
        for image, label in zip(images, found, strict=True)
    }


@few
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 9), st.integers(0, 99))
def test_an_epoch_shows_every_image_at_most_once(count, batch_size, epoch, seed):
    steps = count // batch_size
    shown = labels(make_shard(count, seed), epoch, steps, batch_size) if steps else []
    assert len(shown) == len(set(shown)) == steps * batch_size
    if count % batch_size == 0:
        assert sorted(shown) == list(range(count))


@few
@given(count=st.integers(1, 40), epoch=st.integers(0, 9), seed=st.integers(0, 99))
def test_a_shard_that_is_short_of_one_image_shows_one_twice(count, epoch, seed):
    shown = labels(make_shard(count, seed), epoch, count + 1, 1)
    assert sorted(shown[:-1]) == list(range(count)) and shown[-1] == shown[0]


@few
@given(count=st.integers(1, 30), epoch=st.integers(0, 9), seed=st.integers(0, 99))
def test_two_epochs_in_a_row_show_every_image_from_both_sides(count, epoch, seed):
    shard = make_shard(count, seed)
    now, later = sides(shard, epoch, 1), sides(shard, epoch + 1, 1)
    assert now == {label: not side for label, side in later.items()} and len(now) == count


def test_about_half_of_the_images_begin_mirrored():
    assert 0.4 < sum(sides(make_shard(400), 0, 20).values()) / 400 < 0.6


def test_nothing_is_mirrored_unless_the_recipe_says_so():
    for images, _ in make_shard(8).batches(0, 2, 4, PLAIN):
        assert (images[..., 0] < images[..., -1]).all()


def test_batches_depend_on_seed_and_epoch_alone():
    def batches(seed, epoch):
        torch.manual_seed(epoch)
        return list(make_shard(12, seed).batches(epoch, 3, 4, AUGMENTED))

    first = batches(1, 2)
    for one, other in zip(first, batches(1, 2), strict=True):
        assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])
    for seed, epoch in ((1, 3), (2, 2)):
        assert [found.tolist() for _, found in batches(seed, epoch)] != [found.tolist() for _, found in first]


def test_batches_are_normalised_channels_last_and_leave_the_shard_as_it_was():
    shard = make_shard(6)
    before = shard.images.clone()
    for images, found in shard.batches(0, 2, 3, make_recipe(flip=True, crop_padding=1)):
        assert images.shape == (3, 3, 4, 4) and images.dtype == torch.float32
        assert images.is_contiguous(memory_format=torch.channels_last)
        assert found.dtype == torch.int64
    assert torch.equal(shard.images, before)


def test_normalising_is_by_mean_and_deviation_of_each_channel():
    images = torch.randint(0, 256, (2, 3, 4, 4), dtype=torch.uint8)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    torch.testing.assert_close(normalise(images), (images / 255 - mean) / std)
    assert normalise(torch.empty(0, 3, 4, 4, dtype=torch.uint8)).shape == (0, 3, 4, 4)


def test_the_largest_seed_gives_batches():
    assert len(labels(make_shard(6, 2**62 + 8), epoch=30, steps=2, batch_size=3)) == 6


def test_named_augmentations_change_images_anew_in_every_epoch_and_from_the_same_seed_alike():
    def images(seed=0, epoch=0, **changes):
        shard = make_shard(40, seed, size=8)
        return torch.cat([found for found, _ in shard.batches(epoch, 2, 20, make_recipe(**changes))])

    bright = {"augmentation": [{"brightness": {"by": 0.5}}]}
    assert torch.equal(images(augmentation=[]), images()) and not torch.equal(images(**bright), images())
    assert torch.equal(images(**bright), images(**bright))
    assert not torch.equal(images(epoch=1, **bright), images(**bright))
    assert not torch.equal(images(1, **bright), images(**bright))
