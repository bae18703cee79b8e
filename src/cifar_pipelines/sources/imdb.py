"""The Large Movie Review Dataset, downloaded, verified and unpacked."""

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.sources import register
from cifar_pipelines.sources.text_folder import TextFolderSource

DEFAULT_PATH = "data/01_raw/imdb"
ARCHIVE = "aclImdb_v1.tar.gz"
MD5 = "7c2ac02c03563afcf9b574c7e56c153a"
URL = f"https://ai.stanford.edu/~amaas/data/sentiment/{ARCHIVE}"


@register
class ImdbSource(TextFolderSource):
    """The 50,000 labelled reviews of IMDB, with ids such as `train/pos/0_9.txt`.

    The path is the folder that holds the archive, or `train/` and `test/`, or will hold them after the first use.
    """

    name = "imdb"
    needs: ClassVar = {}

    def __init__(self, path: str | None = None, *, leave_out_copies: bool = False) -> None:
        super().__init__(path or DEFAULT_PATH, leave_out_copies=leave_out_copies)

    def describe(self) -> dict[str, Any]:
        """Where the texts come from; see `ImageSource.describe`."""
        return super().describe() | {
            "origin": "https://ai.stanford.edu/~amaas/data/sentiment/",
            "licence": "none stated by the authors",
            "citation": "A. Maas et al., Learning Word Vectors for Sentiment Analysis, ACL 2011",
            "obtained": f"{ARCHIVE}, verified by MD5, or the folder as it was found",
        }

    def check(self) -> None:
        """Downloads and unpacks the archive if no folder is there.

        Raises:
            UserError: If the archive is damaged, or missing and cannot be downloaded.
        """
        if not any((self.path / inside).is_dir() for inside in ("train", "aclImdb/train")):
            _unpack(_fetched(self.path), self.path)
        super().check()


def _fetched(folder: Path) -> Path:
    from torchvision.datasets.utils import check_integrity, download_url

    archive = folder / ARCHIVE
    if archive.exists() and not check_integrity(archive, MD5):
        raise UserError(
            f"{archive} is damaged or incomplete: its MD5 has to be {MD5}. Delete it and run again, which downloads it."
        )
    try:
        if not archive.exists():
            download_url(URL, folder, ARCHIVE, MD5)
    except (OSError, RuntimeError) as error:  # what torchvision raises for a wrong checksum is a RuntimeError
        raise UserError(
            f"The reviews of IMDB are not in {folder} and could not be downloaded from {URL}: {error}. Put {ARCHIVE} or its "
            "folders train/ and test/ there by hand, or use other texts: --params source=text_folder,source_path=<folder>."
        ) from error
    return archive


def _unpack(archive: Path, folder: Path) -> None:
    """Unpacks the labelled reviews into a folder that gets its name when it is whole."""
    partial = folder / "aclImdb.part"
    with tarfile.open(archive) as opened:
        opened.extractall(partial, members=_labelled(opened), filter="data")
    (partial / "aclImdb").replace(folder / "aclImdb")
    partial.rmdir()


def _labelled(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    wanted = tuple(f"aclImdb/{split}/{label}/" for split in ("train", "test") for label in ("pos", "neg"))
    return (member for member in archive if member.isfile() and member.name.startswith(wanted))
