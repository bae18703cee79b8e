import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from cifar_pipelines.common import images
from cifar_pipelines.common.images import LARGE, decode, encode_png, examine, load_batch, resize, shrink, thumbnail


def pixels(height=7, width=5, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encode(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
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


SQUARE = np.array([[0, 255], [255, 0]], np.uint8)


def transparent(kind):
    """Black pixels of which those at the corners are there, and the others are transparent."""
    drawing = Image.merge("LA", [Image.new("L", (2, 2)), Image.fromarray(255 - SQUARE)])
    if kind in ("LA", "RGBA"):
        return encode(drawing.convert(kind))
    if kind in ("WEBP", "TIFF"):
        return encode(drawing.convert("RGBA"), kind, **({"lossless": True} if kind == "WEBP" else {}))
    indexed = Image.fromarray(SQUARE // 255).convert("P")  # 0 is drawn, 1 is transparent; both are black
    indexed.putpalette([0] * 6)
    return encode(indexed, "GIF" if kind == "GIF" else "PNG", transparency=1 if kind == "GIF" else b"\xff\x00")


@pytest.mark.parametrize("kind", ["RGBA", "LA", "palette", "GIF", "WEBP", "TIFF"])
def test_a_drawing_on_transparent_ground_is_laid_on_white(kind):
    np.testing.assert_array_equal(decode(transparent(kind)), np.stack([SQUARE] * 3, axis=-1))
    assert examine(transparent(kind))[:4] == (2, 2, None, "laid on white")


def test_one_transparent_colour_is_laid_on_white():
    gray = np.array([[0, 7], [200, 0]], np.uint8)
    np.testing.assert_array_equal(decode(encode(Image.fromarray(gray), transparency=7))[..., 0], [[0, 255], [200, 0]])
    fine = gray.astype(np.uint16) * 257
    encoded = encode(Image.fromarray(fine), transparency=7 * 257)
    np.testing.assert_array_equal(decode(encoded)[..., 0], [[0, 255], [200, 0]])


def test_what_is_half_transparent_is_mixed_with_white():
    assert decode(encode(Image.new("RGBA", (1, 1), (0, 100, 255, 51)))).tolist() == [[[204, 224, 255]]]


def test_a_channel_of_transparency_that_says_nothing_changes_nothing():
    image = Image.fromarray(np.dstack([pixels(), np.full((7, 5, 1), 255, np.uint8)]), "RGBA")
    np.testing.assert_array_equal(decode(encode(image)), pixels())
    assert examine(encode(image)).treated is None


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_a_photograph_is_turned_as_its_exif_says(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    encoded = encode(Image.fromarray(pixels()), kind, exif=exif)
    with Image.open(io.BytesIO(encoded)) as image:
        np.testing.assert_array_equal(decode(encoded), np.asarray(ImageOps.exif_transpose(image)))
    assert examine(encoded)[:3] == ((5, 7, None) if orientation > 4 else (7, 5, None))
    if kind != "TIFF":  # which Pillow turns itself
        assert examine(encoded).treated == (None if orientation == 1 else "turned upright")


def test_damaged_exif_leaves_the_picture_as_it_is():
    encoded = encode(Image.fromarray(pixels()), exif=b"Exif\x00\x00no exif at all")
    np.testing.assert_array_equal(decode(encoded), pixels())


def test_a_drawing_may_be_turned_and_laid_on_white():
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((0, 0), (10, 20, 30, 255))
    encoded = encode(image, exif=exif)
    assert decode(encoded).tolist() == [[[10, 20, 30]], [[255, 255, 255]]]
    assert examine(encoded)[:4] == (2, 1, None, "turned upright, laid on white")


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


@pytest.mark.parametrize("kind", ["PNG", "PPM", "TIFF"])
def test_a_16_bit_gray_image_is_scaled(kind):
    gray = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
    np.testing.assert_array_equal(decode(encode(Image.fromarray(gray), kind))[..., 0], gray // 257)


def test_a_16_bit_image_with_a_range_of_its_own_is_scaled():
    gray = np.arange(0, 1024, 4).reshape(16, 16)
    for kind, values in ((b"P5", gray), (b"P6", np.stack([gray] * 3, axis=-1))):
        encoded = kind + b" 16 16 1023\n" + values.astype(">u2").tobytes()
        assert np.abs(decode(encoded)[..., 1] - gray * (255 / 1023)).max() <= 1


@pytest.mark.parametrize("dtype, top, fault", [("f4", 1, "floating-point"), ("i4", 70000, "more than 16 bits")])
def test_numbers_whose_range_nobody_knows_are_refused(dtype, top, fault):
    encoded = encode(Image.fromarray(np.linspace(0, top, 16).reshape(4, 4).astype(dtype)), "TIFF")
    with pytest.raises(OSError, match=fault):
        decode(encoded)


def test_what_is_encoded_is_decoded_to_the_same():
    assert encode_png(pixels()).startswith(b"\x89PNG")
    np.testing.assert_array_equal(decode(encode_png(pixels())), pixels())


@pytest.mark.parametrize("kind", ["BMP", "GIF", "WEBP", "PPM", "TIFF", "AVIF", "JPEG2000", "QOI", "PCX", "SGI", "TGA"])
def test_other_kinds_of_files_are_decoded(kind):
    lossless = {"WEBP": {"lossless": True}}.get(kind, {})
    decoded = decode(encode(Image.new("RGB", (5, 7), (200, 100, 0)), kind, **lossless)).astype(int)
    assert decoded.shape == (7, 5, 3) and np.abs(decoded - (200, 100, 0)).max() <= 2


def test_what_another_program_would_have_to_read_is_no_image():
    assert (
        examine(encode(Image.new("RGB", (5, 7)), "EPS")).error
        == "UnidentifiedImageError: no image of a kind that is read"
    )


def test_examining_an_image_finds_its_size_or_what_is_wrong():
    whole = encode_png(pixels(7, 5))
    assert examine(whole)[:4] == (7, 5, None, None)
    assert examine(b"").error == "empty file"
    for broken, reason in ((whole[:60], "OSError: "), (b"no image", "UnidentifiedImageError: ")):
        height, width, error, *_ = examine(broken)
        assert height is None and width is None and error.startswith(reason)


def test_images_have_one_digest_exactly_if_their_pixels_are_the_same():
    image = Image.fromarray(pixels(4, 6))
    again = Image.fromarray(pixels(4, 6))
    digest = examine(encode(image)).digest
    assert examine(encode(again, "BMP")).digest == digest and -(2**63) <= digest < 2**63
    again.putpixel((5, 3), (0, 0, 0))
    assert examine(encode(again)).digest != digest
    assert examine(encode(Image.fromarray(pixels(4, 6).reshape(6, 4, 3)))).digest != digest


def test_a_batch_is_loaded_as_its_images_are_decoded_and_resized():
    images = [pixels(6, 6), pixels(9, 4, 1)]
    assert torch.equal(load_batch([encode_png(image) for image in images], 5), resize(images, 5))


@pytest.fixture(scope="module")
def photograph():
    return make_photograph(1504, 1000)


def make_photograph(width, height):
    """A JPEG file of smooth colours under fine noise."""
    random = np.random.default_rng(0)
    coarse = Image.fromarray(random.integers(0, 256, (8, 10, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))
    noisy = smooth + random.normal(0, 6, smooth.shape)
    return encode(Image.fromarray(noisy.clip(0, 255).astype(np.uint8)), "JPEG")


def test_a_photograph_is_decoded_at_a_reduced_size_that_is_large_enough(photograph):
    assert decode(photograph).shape == (1000, 1504, 3)
    assert decode(photograph, 300).shape == (500, 752, 3)
    assert decode(photograph, 100).shape == (125, 188, 3)
    assert decode(photograph, 800).shape == (1000, 1504, 3)


def test_a_photograph_is_never_reduced_to_a_fraction_of_a_pixel():
    assert decode(make_photograph(1500, 1002), 100).shape == (501, 750, 3)
    assert decode(make_photograph(1501, 1000), 100).shape == (1000, 1501, 3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_an_image_that_is_not_large_is_decoded_whole(kind):
    image = encode(Image.fromarray(pixels(1024, LARGE // 1024)), kind)
    np.testing.assert_array_equal(decode(image, 1), decode(image))


def test_a_photograph_looks_the_same_when_it_was_decoded_at_a_reduced_size(photograph):
    whole = resize([decode(photograph)], 64)[0].float()
    difference = (load_batch([photograph], 64)[0].float() - whole).abs()
    assert difference.mean() < 0.3 and difference.max() <= 4


def test_a_photograph_that_ends_too_early_is_found_at_a_reduced_size_too(photograph):
    assert examine(photograph)[:3] == (1000, 1504, None)
    assert "truncated" in examine(photograph[:-1000]).error
    with pytest.raises(OSError, match="truncated"):
        load_batch([photograph[: len(photograph) // 2]], 64)


def test_the_digest_of_a_photograph_tells_finest_details_apart(photograph):
    other = bytearray(photograph)
    other[-3] ^= 1  # the last of its coefficients
    assert examine(bytes(other)).error is None
    assert examine(bytes(other)).digest != examine(photograph).digest == examine(bytes(photograph)).digest


@pytest.mark.parametrize("size", [16, 64])
def test_what_is_shrunk_is_loaded_as_the_image_itself(photograph, size):
    large = encode_png(np.tile(pixels(8, 8), (130, 130, 1)))
    for image in (photograph, large, encode_png(pixels(6, 6)), encode_png(pixels(9, 40))):
        small = shrink(image, size)
        assert decode(small).shape == (size, size, 3)
        assert torch.equal(load_batch([small], size), load_batch([image], size))


def test_large_images_are_loaded_alike_alone_and_in_company(photograph):
    company = [encode_png(pixels(6, 6)), photograph, encode_png(pixels(9, 4))]
    assert torch.equal(load_batch(company, 16)[1:2], load_batch([photograph], 16))


def test_a_thumbnail_keeps_proportions_and_what_is_small_already(photograph):
    assert decode(thumbnail(photograph, 256)).shape == (170, 256, 3)
    np.testing.assert_array_equal(decode(thumbnail(encode_png(pixels()), 256)), pixels())


def test_an_image_of_many_pixels_is_decoded_without_a_word(recwarn):
    image = encode(Image.new("1", (10_000, 10_000)))
    assert images._open(image).size == (10_000, 10_000) and not recwarn.list


def test_an_image_of_more_pixels_than_can_be_held_is_one_that_cannot_be_decoded(monkeypatch):
    monkeypatch.setattr(images, "MOST_PIXELS", 1000)
    image = encode(Image.fromarray(pixels(40, 30)))
    assert examine(image).error == "OSError: more than 1,000 pixels, the most that are decoded"
    with pytest.raises(OSError, match="more than 1,000 pixels"):
        decode(image)
