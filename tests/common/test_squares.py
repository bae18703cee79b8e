import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.images import encode_png, load_batch, resize, shrink
from cifar_pipelines.common.squares import FILTERS, POLICIES, Square


def pixels(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def disc(height, width):
    """A white disc in the middle of a black image, as large as the image allows."""
    rows, columns = np.ogrid[:height, :width]
    inside = (rows - (height - 1) / 2) ** 2 + (columns - (width - 1) / 2) ** 2 < (min(height, width) / 2) ** 2
    return np.where(inside, 255, 0).astype(np.uint8)[..., None].repeat(3, -1)


def extent(image):
    """Height and width of what is white."""
    white = image[0] > 127
    return int(white.any(1).sum()), int(white.any(0).sum())


@pytest.mark.parametrize(
    ("policy", "height", "width", "round"),
    [("squash", 40, 80, False), ("crop", 40, 80, True), ("pad", 40, 80, True), ("pad", 90, 30, True)],
)
def test_a_circle_stays_one_unless_it_is_squashed(policy, height, width, round):
    (image,) = resize([disc(height, width)], Square(32, policy=policy))
    tall, wide = extent(image)
    assert image.shape == (3, 32, 32) and (abs(tall - wide) <= 1) is round


def test_bars_have_the_colour_that_is_asked_for_and_the_image_lies_between():
    (image,) = resize([np.full((10, 40, 3), 200, np.uint8)], Square(20, policy="pad", fill=(1, 2, 3)))
    assert image[:, 0, 0].tolist() == image[:, 19, 19].tolist() == [1, 2, 3]
    assert (image[:, 8:12] == 200).all() and int((image == 200).all(0).sum()) == 5 * 20


def test_cropping_is_that_of_the_presets_of_torchvision():
    from torchvision.transforms._presets import ImageClassification

    smooth = Image.fromarray(pixels(6, 9)).resize((150, 100), Image.Resampling.BICUBIC)
    preset = ImageClassification(crop_size=56, resize_size=64, mean=(0, 0, 0), std=(1, 1, 1))
    (found,) = resize([np.asarray(smooth)], Square(56, policy="crop", resize=64))
    difference = (found / 255 - preset(smooth)).abs()
    assert difference.mean() < 0.01 and difference.max() < 0.06


def test_a_bicubic_square_is_that_of_pillow_and_no_bilinear_one():
    image = pixels(40, 32)
    found = resize([image], Square(16, "bicubic"))[0].permute(1, 2, 0).numpy().astype(int)
    expected = np.asarray(Image.fromarray(image).resize((16, 16), Image.Resampling.BICUBIC)).astype(int)
    assert np.abs(found - expected).max() <= 1
    assert not torch.equal(resize([image], Square(16, "bicubic")), resize([image], 16))


SQUARES = st.builds(
    lambda size, filter, policy, more: Square(size, filter, policy, size + more),
    st.integers(1, 12), st.sampled_from(FILTERS), st.sampled_from(POLICIES), st.integers(0, 6),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(SQUARES, st.integers(1, 40), st.integers(1, 40))
def test_what_is_shrunk_is_loaded_as_the_image_itself_by_every_policy(square, height, width):
    encoded = encode_png(pixels(height, width))
    batch = load_batch([encoded], square)
    assert batch.shape == (1, 3, square.size, square.size) and batch.dtype == torch.uint8
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(load_batch([shrink(encoded, square)], square), batch)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_large_photograph_is_reduced_while_it_is_decoded_by_every_policy(policy):
    smooth = Image.fromarray(pixels(8, 12)).resize((1504, 1000), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    smooth.save(buffer, "JPEG")
    square = Square(48, "bicubic", policy, 56)
    whole = resize([np.asarray(Image.open(buffer))], square).float()
    difference = (load_batch([buffer.getvalue()], square).float() - whole).abs()
    # The middle of the reduced image may lie half of its pixels beside, which is a fifth of a pixel of the square.
    assert difference.mean() < (3 if policy == "crop" else 0.5)
    assert torch.equal(load_batch([shrink(buffer.getvalue(), square)], square), load_batch([buffer.getvalue()], square))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": 0}, "The input size is 0, but must be a whole number of at least 1"),
        ({"filter": "cubic"}, r"Unknown filter 'cubic'\. Did you mean 'bicubic'"),
        ({"policy": "stretch"}, r"Unknown policy 'stretch'\..* Known: crop, pad, squash"),
        ({"resize": 8}, "resized to 8 px before 16 px are cut out of them, which are more"),
    ],
)
def test_a_square_that_there_cannot_be_is_refused(wrong, message):
    with pytest.raises(UserError, match=message):
        Square(**{"size": 16} | wrong)
