"""Sources of labelled images or texts: one file, one source, both of the same name."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from cifar_pipelines.common.contents import IMAGE, Content
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import checked_options
from cifar_pipelines.common.registry import FileRegistry

# Of an image table, in reading order: ingestion cuts `validation` from training, and images of `predict` have no label.
SPLITS = ("train", "validation", "test", "predict")
SOURCE_SPLITS = ("train", "test")  # with labels, as a source has them


class ImageSource(ABC):
    """A labelled collection of images with a training and a test split, and maybe images without labels.

    Texts join as images do: what is said of images holds for them, and `content` tells them apart.

    A source is sent to the Spark executors, hence it pickles, costs nothing to construct, and opens its
    files only when they are needed.
    """

    name: str
    path: Path | None  # where the files lie; None if there are none
    content: ClassVar[Content] = IMAGE
    needs: ClassVar[Mapping[str, str]] = {}  # parameters that a command has to give, with placeholders

    def exists(self) -> bool:
        """Returns whether the folder of the images is there; looks at nothing inside it."""
        return self.path is None or self.path.is_dir()

    @property
    @abstractmethod
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes; a label is a position in this tuple."""

    @abstractmethod
    def index(self, split: str) -> pd.DataFrame:
        """Lists the images of one split, "train" or "test", without decoding any of them.

        Returns:
            One row per image with the columns `image_id` (str, unique over both splits) and `label`
            (int64), in an order that is the same in every process.

        Raises:
            UserError: If the split is unknown or the data cannot be found.
        """

    def unlabelled(self) -> list[str]:
        """The ids of the images without a label, in the order in which their predictions are wanted; most sources have none.

        Where there are some, the test split may be empty.
        """
        return []

    @abstractmethod
    def read(self, image_ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Reads images of any split; runs on the executors.

        Yields:
            Each id with its image as the bytes of a file of one of `images.FORMATS`, or its text as such of UTF-8, in the
            order asked for.
        """

    def total_bytes(self, image_ids: Sequence[str]) -> int:
        """Estimates, on the driver, how many bytes images hold together: from a few, unless a source knows better."""
        few = image_ids[:: max(1, len(image_ids) // 8)]
        return sum(len(image) for _, image in self.read(few)) * len(image_ids) // max(1, len(few))

    @abstractmethod
    def fingerprint(self) -> str:
        """Returns a SHA-256 in hexadecimal of what identifies the content."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Returns where the images come from, as values that JSON can hold.

        Returns:
            The keys `name`, `origin`, `path` (None if there are no files), `classes` (their number),
            `licence`, `citation` (None if unknown) and `obtained`; where the source leaves out images that equal an
            earlier one, `equal_left_out`, their number.
        """

    @abstractmethod
    def check(self) -> None:
        """Raises a `UserError` if the data are missing, damaged, or laid out in a way that cannot be read."""


def checked_split(split: str) -> str:
    """Returns the split, or raises UserError if it is not one of `SOURCE_SPLITS`."""
    if split not in SOURCE_SPLITS:
        raise UserError(f"Unknown split {split!r}. A source has the splits 'train' and 'test'; ask for one of them.")
    return split


def sha256_of(parts: Iterable[object]) -> str:
    """Returns the SHA-256 in hexadecimal of the parts' texts, with NUL between them."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{part}\0".encode())
    return digest.hexdigest()


def in_label_order(names: Iterable[str]) -> list[str]:
    """Names of classes in alphabetical order, or by value if all are numbers."""
    found = list(names)
    numbers = all(name.isascii() and name.isdigit() for name in found)
    return sorted(found, key=(lambda name: (int(name), name)) if numbers else None)


_registry = FileRegistry[type[ImageSource]](__name__, "source")
register, names, find = _registry.register, _registry.names, _registry.find


def open_source(name: str, path: str | None = None, options: Mapping[str, Any] | None = None) -> ImageSource:
    """Constructs a source by name; opens no file and checks none.

    Args:
        name: A name of `names()`.
        path: Where the images lie; None for the source's default. A source without files takes none.
        options: The source's own settings, which are the keyword-only arguments of its class.

    Raises:
        UserError: If the name or an option is unknown, an option has a wrong type or value, or nothing reads the path.
    """
    source = find(name)
    if path is not None and not isinstance(path, str):
        raise UserError(f"The source's path {path!r} is not text. Give a folder, such as data/01_raw/images.")
    opened = source(path, **checked_options(source, options, f"the source {name!r}"))
    if path and opened.path is None:
        raise UserError(
            f"The source {name!r} reads no files, so the source_path {path} would be ignored. Leave it out, or read "
            "that folder with source=image_folder."
        )
    return opened


def needed_parameters(name: str) -> dict[str, str]:
    """What a command has to give beside the name of a source; nothing for an unknown one, as in an old record."""
    return dict(find(name).needs) if name in names() else {}
