import pytest
from tests.factories.images import encode_image


@pytest.fixture
def make_tree(tmp_path):
    """Returns a function that fills a folder with images and returns the folder's path."""

    def make(*files):
        for file in files:
            path = tmp_path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            kind = {"jpg": "JPEG", "jpeg": "JPEG", "ppm": "PPM"}.get(path.suffix[1:].lower())
            path.write_bytes(encode_image(kind or path.suffix[1:].upper()) if path.suffix != ".txt" else b"text")
        return str(tmp_path)

    return make
