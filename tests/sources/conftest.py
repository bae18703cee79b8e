import io

import numpy as np
import pytest
from PIL import Image


def encode_image(format="PNG", size=(5, 4), mode="RGB"):
    random = np.random.default_rng(sum(size))
    buffer = io.BytesIO()
    pixels = random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(buffer, format)
    return buffer.getvalue()


@pytest.fixture
def encode():
    """Returns a function that encodes a noise image."""
    return encode_image


@pytest.fixture
def make_tree(tmp_path):
    """Returns a function that fills a folder with images and returns the folder's path."""

    def make(*files):
        for file in files:
            path = tmp_path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            kind = {"jpg": "JPEG", "jpeg": "JPEG", "ppm": "PPM"}.get(path.suffix[1:].lower())
            path.write_bytes(
                encode_image(kind or path.suffix[1:].upper()) if path.suffix != ".txt" else b"text"
            )
        return str(tmp_path)

    return make
