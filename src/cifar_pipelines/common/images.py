"""Encoded images and their pixels: the one way in which all decode, resize and encode them."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import torch
    from PIL import Image


class ImageCheck(NamedTuple):
    """What decoding an image found: height and width in pixels, or why it cannot be decoded."""

    height: int | None
    width: int | None
    error: str | None


def decode(encoded: bytes) -> "np.ndarray":
    """Decodes an image file, colour or gray, to RGB pixels, uint8 (height, width, 3); of several frames the first.

    Raises:
        OSError: If the bytes are no image or end too early.
    """
    from PIL import Image

    with Image.open(io.BytesIO(encoded)) as image:
        return _rgb(image)


def examine(encoded: bytes) -> ImageCheck:
    """Decodes an image to find its size, or what is wrong with it."""
    try:
        height, width, _ = decode(encoded).shape
    except Exception as error:  # PIL raises many kinds for damaged files
        reason = f"{type(error).__name__}: {str(error)[:80]}" if encoded else "empty file"
        return ImageCheck(None, None, reason)
    return ImageCheck(height, width, None)


def encode_png(pixels: "np.ndarray") -> bytes:
    """Encodes pixels, uint8 of shape (height, width, 3), as a PNG file."""
    from PIL import Image

    return _png(Image.fromarray(pixels))


def recode_png(encoded: bytes) -> bytes:
    """Turns an image file of another format into a PNG file, gray if it is gray."""
    from PIL import Image

    with Image.open(io.BytesIO(encoded)) as image:
        if image.mode.startswith("I"):
            return encode_png(_rgb(image))
        return _png(image.convert("L" if image.mode in ("1", "L") else "RGB"))


def _rgb(image: "Image.Image") -> "np.ndarray":
    import numpy as np

    if image.mode.startswith("I"):  # PIL would clip 16-bit gray instead of scaling it
        gray = (np.asarray(image) / 257).round().clip(0, 255).astype(np.uint8)
        return np.repeat(gray[..., None], 3, axis=2)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _png(image: "Image.Image") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)  # the fastest level; images of this size gain little by more
    return buffer.getvalue()


def load_batch(encoded: Sequence[bytes], size: int) -> "torch.Tensor":
    """Decodes image files and resizes them to squares, as the networks see them; see `decode` and `resize`."""
    return resize([decode(image) for image in encoded], size)


def resize(images: Sequence["np.ndarray"], size: int) -> "torch.Tensor":
    """Resizes RGB images, uint8 (height, width, 3) of any sizes, to squares of `size` pixels, bilinearly.

    Returns:
        uint8 tensor of shape (n, 3, size, size), in `channels_last` memory format.
    """
    import numpy as np
    import torch
    from torch.nn.functional import interpolate

    if len({image.shape for image in images}) > 1:
        return torch.cat([resize([image], size) for image in images])
    # (n, h, w, c) in memory is what torch calls channels_last, so that permuting copies nothing.
    batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    if batch.shape[2:] == (size, size):
        return batch
    return interpolate(batch, size=(size, size), mode="bilinear", antialias=True)
