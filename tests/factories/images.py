"""Made-up images for the tests."""

import io

import numpy as np
from PIL import Image


def encode_image(format="PNG", size=(5, 4), mode="RGB"):
    random = np.random.default_rng(sum(size))
    buffer = io.BytesIO()
    pixels = random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(buffer, format)
    return buffer.getvalue()
