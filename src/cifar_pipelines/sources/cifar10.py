"""CIFAR-10, downloaded, verified and unpacked by torchvision."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.images import encode_png
from cifar_pipelines.common.paths import project_path
from cifar_pipelines.sources import ImageSource, checked_split, register, sha256_of

if TYPE_CHECKING:
    import numpy as np
    from torchvision.datasets import CIFAR10

DEFAULT_PATH = "data/01_raw/cifar10"
ARCHIVE = "cifar-10-python.tar.gz"


@register
class Cifar10Source(ImageSource):
    """The 60,000 images of CIFAR-10, 32x32 RGB, with ids such as `train/00042`.

    The path is the folder that holds the archive or the unpacked batches, or will hold them after the first use.
    """

    name = "cifar10"
    class_names = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

    def __init__(self, path: str | None = None) -> None:
        self.path = project_path(path or DEFAULT_PATH, "source_path")

    def index(self, split: str) -> pd.DataFrame:
        """Lists the images of one split; see `ImageSource.index`."""
        labels = _open(self.path, checked_split(split)).targets
        image_ids = [f"{split}/{number:05d}" for number in range(len(labels))]
        return pd.DataFrame({"image_id": image_ids, "label": pd.Series(labels, dtype="int64")})

    def read(self, image_ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Encodes images as PNG; see `ImageSource.read`."""
        for image_id in image_ids:
            split, number = image_id.split("/")
            yield image_id, encode_png(_arrays(self.path, split)[int(number)])

    def fingerprint(self) -> str:
        """Returns the SHA-256 of the archive's published MD5, which `check` compares."""
        from torchvision.datasets import CIFAR10

        return sha256_of((self.name, CIFAR10.tgz_md5))

    def describe(self) -> dict[str, Any]:
        """Returns where the images come from; see `ImageSource.describe`."""
        return {
            "name": self.name,
            "origin": "https://www.cs.toronto.edu/~kriz/cifar.html",
            "path": str(self.path),
            "classes": len(self.class_names),
            "licence": "none stated by the authors",
            "citation": "A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009",
            "obtained": f"{ARCHIVE}, verified by MD5 through torchvision",
        }

    def check(self) -> None:
        """Downloads the images if they are missing, and compares every checksum.

        Raises:
            UserError: If a file is damaged, or if the archive is missing and cannot be downloaded.
        """
        from torchvision.datasets import CIFAR10
        from torchvision.datasets.utils import check_integrity

        batches = self.path / CIFAR10.base_folder
        files = [(batches / name, md5) for name, md5 in CIFAR10.train_list + CIFAR10.test_list]
        files.append((batches / CIFAR10.meta["filename"], CIFAR10.meta["md5"]))
        for file, md5 in files:
            # torchvision would fetch a damaged file again without a word, or fail without naming it.
            if file.exists() and not check_integrity(file, md5):
                raise _damaged(file, md5)
        if all(file.exists() for file, _ in files):
            return
        archive = self.path / ARCHIVE
        if archive.exists() and not check_integrity(archive, CIFAR10.tgz_md5):
            raise _damaged(archive, CIFAR10.tgz_md5)
        try:
            CIFAR10(self.path, train=False, download=True)
        except OSError as error:
            raise UserError(
                f"CIFAR-10 is not in {self.path} and could not be downloaded from {CIFAR10.url}: {error}. "
                f"The first use needs a network connection. Put {ARCHIVE} into that folder by hand, or use "
                "other images: --params source=synthetic, or "
                "--params source=image_folder,source_path=<folder with train/ and test/>."
            ) from error
        except RuntimeError as error:  # what torchvision raises for a download with a wrong checksum
            raise _damaged(archive, CIFAR10.tgz_md5) from error


def _damaged(file: Path, md5: str) -> UserError:
    """Builds the error for a file with a wrong checksum."""
    return UserError(
        f"{file} is damaged or incomplete: its MD5 has to be {md5}. Delete it and run again, which "
        f"unpacks {ARCHIVE} again, or downloads it if it is not in the folder."
    )


def _open(path: Path, split: str) -> "CIFAR10":
    """Opens one split, which verifies its files and holds the decoded images."""
    from torchvision.datasets import CIFAR10

    try:
        return CIFAR10(path, train=split == "train")
    except RuntimeError as error:
        raise UserError(
            f"CIFAR-10 is not in {path}, or is damaged there. Every machine that reads images needs that "
            "folder: share it or copy it there, and let the first run finish its download."
        ) from error


@lru_cache(maxsize=2)  # both splits, once per process
def _arrays(path: Path, split: str) -> "np.ndarray":
    """Returns the images of one split, (images, 32, 32, 3) uint8."""
    return _open(path, split).data
