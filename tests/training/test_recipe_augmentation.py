import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import pad

from cifar_pipelines.training.recipe_augmentation import cut_out, mirror, shift

few = settings(max_examples=25)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def images(count=5, size=8, seed=0):
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=generator(seed))


@few
@given(padding=st.integers(1, 3), size=st.integers(4, 9), seed=st.integers(0, 99))
def test_a_shifted_image_is_a_window_of_the_reflected_one(padding, size, seed):
    batch = images(4, size, seed)
    shifted = shift(batch, padding, generator(seed))
    assert shifted.shape == batch.shape and shifted.dtype == batch.dtype
    windows = pad(batch, (padding,) * 4, mode="reflect").unfold(2, size, 1).unfold(3, size, 1)
    for image, choices in zip(shifted, windows, strict=True):  # choices: (3, dy, dx, size, size)
        assert (choices == image[:, None, None]).all(dim=(0, 3, 4)).any()


def test_every_shift_occurs():
    batch = images(1, 8).repeat(400, 1, 1, 1)
    assert len(shift(batch, 1, generator()).unique(dim=0)) == 9


def test_a_shift_keeps_the_memory_format():
    batch = images().contiguous(memory_format=torch.channels_last)
    assert shift(batch, 2, generator()).is_contiguous(memory_format=torch.channels_last)


@few
@given(seed=st.integers(0, 99))
def test_mirroring_twice_changes_nothing(seed):
    batch = images(seed=seed)
    chosen = torch.rand(5, generator=generator(seed)) < 0.5
    once = mirror(batch, chosen)
    assert torch.equal(mirror(once, chosen), batch)
    assert torch.equal(once[~chosen], batch[~chosen]) and torch.equal(once[chosen], batch[chosen].flip(-1))


@few
@given(side=st.integers(1, 10), size=st.integers(4, 9), seed=st.integers(0, 99))
def test_a_square_of_the_given_side_is_blanked_in_every_image(side, size, seed):
    batch = images(6, size, seed).float() + 1
    blanked = cut_out(batch, side, generator(seed)) == 0
    width = min(side, size)
    assert (blanked.sum(dim=(1, 2, 3)) == 3 * width**2).all()
    assert torch.equal(blanked.any(dim=3).sum(2), torch.full((6, 3), width))  # one square, in all channels
    assert torch.equal(blanked.any(dim=2).sum(2), torch.full((6, 3), width))
    kept = ~blanked
    assert torch.equal(cut_out(batch, side, generator(seed))[kept], batch[kept])


def test_nothing_is_drawn_for_what_is_switched_off():
    batch, drawn = images(), generator()
    before = drawn.get_state()
    assert shift(batch, 0, drawn) is batch and cut_out(batch, 0, drawn) is batch
    assert torch.equal(drawn.get_state(), before)


@pytest.mark.parametrize("augment", [shift, cut_out])
def test_the_generator_decides_alone(augment):
    batch = images(50).float() + 1
    torch.manual_seed(1)
    first = augment(batch, 3, generator(5))
    torch.manual_seed(2)
    assert torch.equal(augment(batch, 3, generator(5)), first)
    assert not torch.equal(augment(batch, 3, generator(6)), first)


def test_the_images_that_came_in_are_left_as_they_were():
    batch = images().float()
    before = batch.clone()
    shift(batch, 2, generator())
    cut_out(batch, 3, generator())
    mirror(batch, torch.ones(5, dtype=torch.bool))
    assert torch.equal(batch, before)
