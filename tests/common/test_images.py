import io

import numpy as np
import pytest
import torch
from PIL import Image

from cifar_pipelines.common.images import decode, encode_png, examine, load_batch, recode_png, resize


def pixels(height=7, width=5, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encode(image, kind="PNG"):
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def test_colour_is_decoded_as_it_is():
    decoded = decode(encode(Image.fromarray(pixels())))
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, pixels())


def test_gray_becomes_three_equal_channels():
    gray = pixels()[..., 0]
    np.testing.assert_array_equal(decode(encode(Image.fromarray(gray))), np.stack([gray] * 3, axis=-1))


def test_a_palette_is_looked_up():
    image = Image.fromarray(pixels()).quantize(8)
    np.testing.assert_array_equal(decode(encode(image)), np.asarray(image.convert("RGB")))


def test_transparency_is_dropped():
    image = Image.fromarray(np.dstack([pixels(), pixels()[..., :1]]), "RGBA")
    np.testing.assert_array_equal(decode(encode(image)), pixels())


def test_a_jpeg_is_decoded():
    flat = np.full((9, 3, 3), 128, np.uint8)
    assert np.abs(decode(encode(Image.fromarray(flat), "JPEG")).astype(int) - 128).max() <= 2


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9])
def test_an_image_that_ends_too_early_raises(kind, share):
    whole = encode(Image.fromarray(pixels(64, 64)), kind)
    with pytest.raises(OSError):
        decode(whole[: int(len(whole) * share)])


def test_what_is_no_image_raises():
    with pytest.raises(OSError):
        decode(b"no image at all")


def test_images_of_the_right_size_are_only_transposed():
    images = [pixels(6, 6, seed) for seed in range(3)]
    batch = resize(images, 6)
    assert batch.shape == (3, 3, 6, 6) and batch.dtype == torch.uint8
    assert batch.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_array_equal(batch.permute(0, 2, 3, 1).numpy(), np.stack(images))


def test_odd_sizes_become_squares_and_keep_their_order():
    grays = [(3, 9, 10), (11, 5, 120), (8, 8, 250)]
    images = [np.full((height, width, 3), value, np.uint8) for height, width, value in grays]
    batch = resize(images, 8)
    assert batch.shape == (3, 3, 8, 8) and batch.dtype == torch.uint8
    assert [int(image.float().mean()) for image in batch] == [10, 120, 250]


def test_an_image_is_resized_alike_alone_and_in_company():
    images = [pixels(10, 10), pixels(7, 13), pixels(10, 10, 1)]
    together = resize(images, 6)
    for alone, image in zip(images, together, strict=True):
        assert torch.equal(resize([alone], 6)[0], image)


def test_resizing_is_that_of_pillow():
    image = pixels(40, 32)
    expected = np.asarray(Image.fromarray(image).resize((16, 16), Image.Resampling.BILINEAR)).astype(int)
    found = resize([image], 16)[0].permute(1, 2, 0).numpy().astype(int)
    assert np.abs(found - expected).max() <= 1


def test_a_16_bit_gray_image_is_scaled():
    gray = np.arange(0, 65536, 1024, dtype=np.uint16).reshape(8, 8)
    decoded = decode(encode(Image.fromarray(gray)))[..., 0].astype(float)
    assert np.abs(decoded - gray / 257).max() <= 1


def test_a_16_bit_image_of_another_format_is_scaled_before_it_is_encoded():
    gray = np.arange(0, 65536, 1024, dtype=np.uint16).reshape(8, 8)
    encoded = recode_png(b"P5 8 8 65535\n" + gray.astype(">u2").tobytes())
    assert np.abs(decode(encoded)[..., 0].astype(float) - gray / 257).max() <= 1


def test_what_is_encoded_is_decoded_to_the_same():
    assert encode_png(pixels()).startswith(b"\x89PNG")
    np.testing.assert_array_equal(decode(encode_png(pixels())), pixels())


def test_another_format_becomes_a_png_and_gray_stays_gray():
    for image in (Image.fromarray(pixels()), Image.fromarray(pixels()[..., 0])):
        recoded = recode_png(encode(image, "BMP"))
        assert Image.open(io.BytesIO(recoded)).format == "PNG"
        assert Image.open(io.BytesIO(recoded)).mode == image.mode
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(recoded))), np.asarray(image))


def test_examining_an_image_finds_its_size_or_what_is_wrong():
    whole = encode_png(pixels(7, 5))
    assert examine(whole) == (7, 5, None)
    assert examine(b"") == (None, None, "empty file")
    for broken, reason in ((whole[:60], "OSError: "), (b"no image", "UnidentifiedImageError: ")):
        height, width, error = examine(broken)
        assert height is None and width is None and error.startswith(reason)


def test_a_batch_is_loaded_as_its_images_are_decoded_and_resized():
    images = [pixels(6, 6), pixels(9, 4, 1)]
    assert torch.equal(load_batch([encode_png(image) for image in images], 5), resize(images, 5))
