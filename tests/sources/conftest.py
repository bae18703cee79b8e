import pytest
from tests.factories.images import encode_image

from cifar_pipelines.common.images import FORMATS


@pytest.fixture
def make_tree(tmp_path):
    """Returns a function that fills a folder with images and returns the folder's path."""

    def make(*files):
        for file in files:
            path = tmp_path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            kinds = [kind for kind, endings in FORMATS.items() if path.suffix.lower() in endings]
            path.write_bytes(encode_image(*kinds) if kinds else b"text")
        return str(tmp_path)

    return make
