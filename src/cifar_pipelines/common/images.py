"""Encoded images to tensors of one size."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch


def decode(encoded: bytes) -> "np.ndarray":
    """Decodes an image file.

    Args:
        encoded: The bytes of a PNG or JPEG file, colour or gray.

    Returns:
        RGB pixels, uint8, of shape (height, width, 3).

    Raises:
        OSError: If the bytes are no image or end too early.
    """
    import numpy as np
    from PIL import Image

    with Image.open(io.BytesIO(encoded)) as image:
        if image.mode.startswith("I;16"):  # PIL would clip 16-bit gray instead of scaling it
            gray = (np.asarray(image) / 257).round().astype(np.uint8)
            return np.repeat(gray[..., None], 3, axis=2)
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def resize(images: Sequence["np.ndarray"], size: int) -> "torch.Tensor":
    """Resizes images of any sizes to squares, bilinearly, as uint8.

    Args:
        images: RGB images, uint8, each of shape (height, width, 3).
        size: Height and width in pixels of the result.

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
