import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.training import augmentation
from cifar_pipelines.training.augmentation import build_augmentation, find
from cifar_pipelines.training.draws import Draws, image_keys

NAMES = augmentation.names()
few = settings(max_examples=20)


def images(count=12, height=12, width=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, height, width), dtype=torch.uint8, generator=generator)


def draws(count=12, seed=0, epoch=0, first=0):
    return Draws.begin(image_keys([str(first + number) for number in range(count)]), seed, epoch)


def apply(name, batch, drawn, **options):
    return build_augmentation([{name: options}])(batch, drawn)


def test_all_augmentations_are_there():
    wanted = "brightness colour crop erasing flip rand_augment rotation shift trivial_augment"
    assert set(wanted.split()) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_shape_and_dtype_stay_and_the_images_that_came_in_are_left_as_they_were(name):
    batch = images(height=10, width=14)
    before = batch.clone()
    changed = apply(name, batch, draws())
    assert changed.shape == batch.shape and changed.dtype == torch.uint8
    assert torch.equal(batch, before) and not torch.equal(changed, batch)


@pytest.mark.parametrize("name", NAMES)
def test_an_image_is_augmented_alike_in_every_batch_and_anew_in_every_epoch(name):
    batch = images()
    whole = apply(name, batch, draws())
    assert torch.equal(apply(name, batch, draws()), whole)
    assert torch.equal(torch.cat([apply(name, batch[:5], draws(5)), apply(name, batch[5:], draws(7, first=5))]), whole)
    assert not torch.equal(apply(name, batch, draws(epoch=1)), whole)
    assert not torch.equal(apply(name, batch, draws(seed=1)), whole)


@pytest.mark.parametrize("name", NAMES)
def test_the_generator_of_torch_is_neither_asked_nor_moved(name):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = apply(name, images(), draws())
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(apply(name, images(), draws()), first)


@pytest.mark.parametrize("name", NAMES)
def test_the_number_of_threads_changes_nothing(name):
    batch, threads, found = images(3, 70, 70), torch.get_num_threads(), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            found.append(apply(name, batch, draws(3)))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*found)


@few
@given(share=st.floats(0, 0.5), size=st.integers(2, 9))
def test_a_shift_of_any_share_fits_any_image(share, size):
    batch = images(4, size, size)
    shifted = apply("shift", batch, draws(4), share=share)
    pixels = [set(map(tuple, image.flatten(1).T.tolist())) for image in batch]
    assert all(
        set(map(tuple, image.flatten(1).T.tolist())) <= seen for image, seen in zip(shifted, pixels, strict=True)
    )


def test_flipped_images_are_mirrored_and_about_half_are():
    batch = images(200, 4, 4)
    flipped = apply("flip", batch, draws(200))
    same, mirrored = ((flipped == one).all(3).all(2).all(1) for one in (batch, batch.flip(-1)))
    assert (same | mirrored).all() and 70 < mirrored.sum() < 130
    assert torch.equal(apply("flip", batch, draws(200), probability=1.0), batch.flip(-1))
    assert torch.equal(apply("flip", batch, draws(200), probability=0.0, vertical=1.0), batch.flip(-2))


def test_a_crop_of_the_whole_image_is_the_image():
    assert torch.equal(apply("crop", images(), draws(), smallest=1.0, ratio=1.0), images())


@few
@given(largest=st.floats(0.01, 1), size=st.integers(4, 20))
def test_a_rectangle_of_the_mean_colour_is_erased(largest, size):
    black = torch.zeros(8, 3, size, size, dtype=torch.uint8)
    black[:, :, 0, 0] = 255
    filled = torch.full_like(black, 200)
    assert torch.equal(apply("erasing", filled, draws(8), probability=1.0, largest=largest), filled)
    colour = 255 // size**2
    erased = (apply("erasing", black, draws(8), probability=1.0, largest=largest) != black).any(1)
    rows, columns = erased.any(2), erased.any(1)
    if colour:  # it differs from black
        erased[:, 0, 0] = (rows[:, 0] & columns[:, 0]) | erased[:, 0, 0]
        assert torch.equal(rows[:, :, None] & columns[:, None], erased)
        assert erased.float().mean((1, 2)).max() <= largest * 1.5 + 2 / size


@few
@given(degrees=st.floats(0, 180), size=st.integers(3, 30))
def test_no_corner_is_empty_after_a_rotation(degrees, size):
    gray = torch.full((4, 3, size, size), 100, dtype=torch.uint8)
    assert torch.equal(apply("rotation", gray, draws(4), degrees=degrees), gray)


def test_a_rotation_turns_what_is_seen():
    bar = torch.zeros(40, 3, 21, 21, dtype=torch.uint8)
    bar[:, :, 10] = 255
    assert torch.equal(apply("rotation", bar, draws(40), degrees=0.0), bar)
    turned = apply("rotation", bar, draws(40), degrees=30.0).float()
    assert (turned[:, 0, 10, 10] > 200).all()  # about the middle
    left = (turned[:, 0, :, 3] * torch.arange(21)).sum(1) / turned[:, 0, :, 3].sum(1)
    assert left.min() < 8 and left.max() > 12 and (left - 10).abs().max() <= 7 * 0.58 + 0.5


def test_brightness_stays_within_its_range():
    gray = torch.full((300, 3, 1, 1), 100, dtype=torch.uint8)
    bright = apply("brightness", gray, draws(300), by=0.3)
    assert 69 <= bright.min() <= 75 and 125 <= bright.max() <= 130


def test_a_colour_change_of_nothing_changes_nothing():
    assert torch.equal(apply("colour", images(), draws(), contrast=0, saturation=0, hue=0), images())
    red = torch.zeros(20, 3, 2, 2, dtype=torch.uint8)
    red[:, 0] = 200
    assert apply("colour", red, draws(20), contrast=0, saturation=0, hue=0.5)[:, 2].any()


def test_a_chain_keeps_its_order_and_every_link_draws_for_itself():
    chain = build_augmentation(["erasing", {"flip": {"probability": 1.0}}])
    assert list(chain.links) == ["erasing", "flip"]
    assert torch.equal(chain(images(), draws()), apply("erasing", images(), draws()).flip(-1))


@pytest.mark.parametrize("nothing", [None, [], ()])
def test_no_augmentation_returns_the_images(nothing):
    batch = images()
    assert build_augmentation(nothing)(batch, draws()) is batch


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (["rotatio"], r"Unknown augmentation 'rotatio'\. Did you mean 'rotation'"),
        ("flip", "The augmentation is 'flip', but must be a list of brightness, "),
        ([3], "has the entry 3, but each must be a name"),
        ([{"flip": None, "crop": None}], "has the entry"),
        (["flip", {"flip": {}}], "The augmentation 'flip' stands twice"),
        ([{"rotation": {"degree": 3}}], r"Unknown option 'degree'\. Did you mean 'degrees'\?"),
        ([{"rotation": {"degrees": 200}}], r"rotation's degrees is 200\.0, but must be a number from 0 to 180\."),
        ([{"rotation": {"degrees": "far"}}], "not of the type float"),
        ([{"flip": {"probability": 2}}], "flip's probability is 2"),
        ([{"shift": {"share": 0.6}}], "shift's share is 0.6"),
        ([{"crop": {"smallest": 0}}], r"crop's smallest is 0\.0, but must be a number above 0 to 1\."),
        ([{"crop": {"ratio": 0.5}}], "crop's ratio is 0.5"),
        ([{"brightness": {"by": -1}}], "brightness's by is -1"),
        ([{"colour": {"hue": 0.7}}], "colour's hue is 0.7"),
        ([{"rand_augment": {"magnitude": 31}}], "rand_augment's magnitude is 31"),
        ([{"rand_augment": {"operations": 0}}], "rand_augment's operations is 0"),
        ([{"trivial_augment": {"magnitude": 3}}], "Unknown option 'magnitude'"),
        ([{"erasing": {"largest": 0}}], "erasing's largest is 0"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(block, message):
    with pytest.raises(UserError, match=message):
        build_augmentation(block)


def test_every_augmentation_has_defaults():
    assert all(find(name)() == find(name)() for name in NAMES)
