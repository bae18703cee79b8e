"""Encoded images and their pixels: the one way in which all decode, resize and encode them."""

import hashlib
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from cifar_pipelines.common.squares import Square
from cifar_pipelines.common.words import one_line

if TYPE_CHECKING:
    import numpy as np
    import torch
    from PIL import Image

# What is read as an image, in Pillow's words, and the endings of its names. Only these are tried, whatever a file is
# called: Pillow hands some others (EPS) to a program of the host.
FORMATS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png", ".apng"),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "WEBP": (".webp",),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif",),
    "JPEG2000": (".jp2", ".j2k", ".jpf", ".jpx"),
    "QOI": (".qoi",),
    "ICO": (".ico",),
    "PCX": (".pcx",),
    "PSD": (".psd",),
    "SGI": (".sgi",),
    "TGA": (".tga",),
}
EXTENSIONS = tuple(extension for extensions in FORMATS.values() for extension in extensions)
LARGEST_FILE = 256 * 2**20  # bytes; executors hold an image several times while they hand it on
MOST_PIXELS = 178_956_970  # as many as Pillow takes by itself; it warns from half of them on, in words about attacks
LARGE = 2**20  # pixels; JPEG files of more may be decoded at a reduced size
# What decoding may do to an image beside reading it.
TURNED, ON_WHITE = "turned upright", "laid on white"
_ORIENTATION = 0x0112  # the tag of EXIF
_TURNS = {
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270", 7: "TRANSVERSE",
    8: "ROTATE_90",
}  # fmt: skip


class ImageCheck(NamedTuple):
    """What decoding an image found.

    Attributes:
        height: In pixels, as it is decoded.
        width: Likewise.
        error: Why it cannot be decoded; None if it can.
        treated: What was done to it, `TURNED` and `ON_WHITE`, joined by commas; None if nothing was.
        digest: A signed number of 64 bits that images share if their pixels are the same; large JPEG files, if they are.
    """

    height: int | None
    width: int | None
    error: str | None
    treated: str | None = None
    digest: int | None = None


def decode(encoded: bytes, least: int | None = None) -> "np.ndarray":
    """Decodes an image file to RGB pixels as viewers show them, uint8 (height, width, 3); of several frames the first.

    It is turned as its EXIF orientation says, what is transparent lies on white, and 16 bits a pixel are scaled to 8.

    Args:
        encoded: The file.
        least: Decodes JPEG files of more than `LARGE` pixels at 1/2, 1/4 or 1/8 of their size where that is a whole
            number of pixels, and no fewer than this many, on both sides. It takes a third of the time, and all bytes
            of the file are read nevertheless.

    Raises:
        OSError: If the bytes are no image, end too early, hold numbers whose range nobody knows, or are more than can be held.
    """
    with _open(encoded) as image:
        if least is not None:
            _reduce(image, least)
        return _rgb(image)[0]


def _reduce(image: "Image.Image", least: int) -> int:
    """Has the decoder of a large JPEG file leave out the finest detail; returns by how much the sides are divided."""
    if image.format not in ("JPEG", "MPO") or image.width * image.height <= LARGE:
        return 1
    # A divisor of both sides: by another one, the last pixels would reach beyond the image and shift all others.
    factors = (factor for factor in (8, 4, 2) if min(image.size) >= factor * least)
    factor = next((factor for factor in factors if image.width % factor == image.height % factor == 0), 1)
    image.draft(None, (image.width // factor, image.height // factor))
    return factor


def examine(encoded: bytes) -> ImageCheck:
    """Decodes an image to find its size and what had to be done to it, or what is wrong with it."""
    try:
        with _open(encoded) as image:
            factor = _reduce(image, 1)
            pixels, treated = _rgb(image)
    except Exception as error:  # PIL raises many kinds for damaged files
        reason = f"{type(error).__name__}: {one_line(str(error), 80)}" if encoded else "empty file"
        return ImageCheck(None, None, reason)
    height, width = (factor * side for side in pixels.shape[:2])
    # At a reduced size, two photographs that differ in the finest detail alone would look the same.
    content = pixels.tobytes() if factor == 1 else encoded
    digest = hashlib.blake2b(content, digest_size=8, person=f"{width}x{height}".encode()).digest()
    return ImageCheck(height, width, None, ", ".join(treated) or None, int.from_bytes(digest, "big", signed=True))


def encode_png(pixels: "np.ndarray") -> bytes:
    """Encodes pixels, uint8 of shape (height, width, 3), as a PNG file."""
    from PIL import Image

    buffer = io.BytesIO()
    # The fastest level; images of this size gain little by more.
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _open(encoded: bytes) -> "Image.Image":
    from PIL import Image, UnidentifiedImageError

    if len(encoded) > LARGEST_FILE:
        raise OSError(f"a file of more than {LARGEST_FILE // 2**20} MiB")
    Image.MAX_IMAGE_PIXELS = None  # the limit below is the one that counts
    try:
        image = Image.open(io.BytesIO(encoded), formats=tuple(FORMATS))
    except UnidentifiedImageError:  # its own message holds the address of an object
        raise UnidentifiedImageError("no image of a kind that is read") from None
    if image.width * image.height > MOST_PIXELS:
        raise OSError(f"more than {MOST_PIXELS:,} pixels, the most that are decoded")
    return image


def _rgb(image: "Image.Image") -> tuple["np.ndarray", list[str]]:
    """The pixels of an image that was opened, and what was done to it."""
    import numpy as np

    image.load()  # first, because a TIFF turns itself while it is read
    upright = _upright(image)
    eight_bits = _eight_bits(upright)
    opaque = _opaque(eight_bits)
    treated = [TURNED] * (upright is not image) + [ON_WHITE] * (opaque is not eight_bits)
    return np.asarray(opaque if opaque.mode == "RGB" else opaque.convert("RGB")), treated


def _upright(image: "Image.Image") -> "Image.Image":
    """Turns an image as its EXIF orientation says; the same image if nothing is to do."""
    from PIL import Image

    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # a damaged block of EXIF says nothing, and the picture may be whole
        return image
    turn = _TURNS.get(orientation)
    return image.transpose(Image.Transpose[turn]) if turn else image


def _eight_bits(image: "Image.Image") -> "Image.Image":
    """Scales 16-bit gray to 8 bits, which PIL would clip; the same image if it has 8 bits already."""
    import numpy as np
    from PIL import Image

    if image.mode == "F":
        raise OSError("floating-point pixels, whose range is not known")
    if not image.mode.startswith("I"):
        return image
    gray = np.asarray(image)
    if gray.min() < 0 or gray.max() > 65535:
        raise OSError("pixels of more than 16 bits, whose range is not known")
    scaled = Image.fromarray((gray / 257).round().astype(np.uint8))
    if "transparency" in image.info:
        scaled.putalpha(Image.fromarray(np.where(gray == image.info["transparency"], 0, 255).astype(np.uint8)))
    return scaled


def _opaque(image: "Image.Image") -> "Image.Image":
    """Lays what is transparent on white; the same image if nothing is."""
    from PIL import Image

    if not image.has_transparency_data:
        return image
    colours = image.convert("RGBA")
    alpha = colours.getchannel("A")
    if alpha.getextrema()[0] == 255:
        return image
    ground = Image.new("RGB", image.size, "white")
    ground.paste(colours, mask=alpha)
    return ground


def load_batch(encoded: Sequence[bytes], square: int | Square) -> "torch.Tensor":
    """Decodes image files and makes them squares, as the networks see them; see `decode` and `resize`.

    JPEG files of more than `LARGE` pixels are decoded at a reduced size, of at least twice that of the square. After
    resizing, that makes a difference of less than a third of a grey level in the mean and of four at most, about as much
    as saving a noisy photograph as JPEG once more.
    """
    square = Square.of(square)
    return resize([_small(decode(image, 2 * square.scaled_to), square) for image in encoded], square)


def _small(pixels: "np.ndarray", square: Square) -> "np.ndarray":
    """Resizes a large image at once, so that no list of decoded photographs lies in memory."""
    return pixels if pixels.shape[0] * pixels.shape[1] <= LARGE else _as_pixels(square.scale(_as_batch([pixels]))[0])


def shrink(encoded: bytes, square: int | Square) -> bytes:
    """Makes an image file small: a PNG file of as many pixels as the square is made of, of which `load_batch` makes the same."""
    square = Square.of(square)
    return encode_png(_as_pixels(square.scale(_as_batch([decode(encoded, 2 * square.scaled_to)]))[0]))


def thumbnail(encoded: bytes, side: int) -> bytes:
    """Makes a PNG file for people to look at: the image in its proportions, at most `side` pixels high and wide."""
    import numpy as np
    from PIL import Image

    image = Image.fromarray(decode(encoded, side))
    image.thumbnail((side, side))
    return encode_png(np.asarray(image))


def _as_pixels(image: "torch.Tensor") -> "np.ndarray":
    """Turns a uint8 tensor (3, height, width) into pixels."""
    import numpy as np

    return np.ascontiguousarray(image.permute(1, 2, 0).numpy())


def _as_batch(images: Sequence["np.ndarray"]) -> "torch.Tensor":
    """Pixels of one shape as a uint8 tensor (n, 3, height, width)."""
    import numpy as np
    import torch

    # (n, h, w, c) in memory is what torch calls channels_last, so that permuting copies nothing.
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


def resize(images: Sequence["np.ndarray"], square: int | Square) -> "torch.Tensor":
    """Makes squares of RGB images, uint8 (height, width, 3) of any sizes.

    Args:
        images: Their pixels.
        square: What to make of them; a number squashes them bilinearly to as many pixels.

    Returns:
        uint8 tensor of shape (n, 3, size, size), in `channels_last` memory format.
    """
    import torch

    square = Square.of(square)
    if len({image.shape for image in images}) > 1:
        return torch.cat([resize([image], square) for image in images])
    return square.fill_up(square.scale(_as_batch(images)))
