"""Images in a tree of folders, `split/class/image`."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.images import recode_png
from cifar_pipelines.sources import SPLITS, ImageSource, checked_split, register, sha256_of

# What the folder of a split may be called, whatever its case; the first that exists is used.
SPLIT_FOLDERS = {"train": ("train", "training"), "test": ("test", "testing", "val", "valid", "validation")}
AS_THEY_ARE = (".jpg", ".jpeg", ".png")
EXTENSIONS = (*AS_THEY_ARE, ".bmp", ".webp", ".gif", ".ppm")
LAYOUT = "The layout is train/<class>/<image> and test/<class>/<image>"


@register
class ImageFolderSource(ImageSource):
    """Images of any size, in colour or gray, that lie in one folder per split and class.

    An image's id is its path below the folder of the splits, such as `train/airplane/0001.jpg`.
    """

    name = "image_folder"
    needs: ClassVar = {"source_path": "<folder>"}

    def __init__(self, path: str | None = None) -> None:
        # Absolute, because an executor's working directory is not the driver's.
        self.path = Path(path).absolute() if path else None

    def exists(self) -> bool:
        """Returns whether a folder was given and is there."""
        return self.path is not None and self.path.is_dir()

    def __getstate__(self) -> dict[str, Any]:
        # The list of all files stays behind: executors are told which images to read.
        return {"path": self.path}

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the training folders, in alphabetical order, or by value if all are numbers."""
        return tuple(self._tree["train"])

    def index(self, split: str) -> pd.DataFrame:
        """Lists the images of one split; see `ImageSource.index`."""
        folders = self._tree[checked_split(split)]
        label_of = {name: label for label, name in enumerate(self.class_names)}
        rows = [(self._id(file), label_of[name]) for name, files in folders.items() for file in files]
        return pd.DataFrame(rows, columns=["image_id", "label"]).astype({"label": "int64"})

    def read(self, image_ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Reads files; see `ImageSource.read`."""
        for image_id in image_ids:
            file = self.path / image_id
            encoded = file.read_bytes()
            yield image_id, encoded if file.suffix.lower() in AS_THEY_ARE else recode_png(encoded)

    def fingerprint(self) -> str:
        """Returns the SHA-256 of all images' paths and sizes in bytes."""
        files = (file for split in SPLITS for files in self._tree[split].values() for file in files)
        entries = sorted((self._id(file), file.stat().st_size) for file in files)
        return sha256_of((self.name, *(f"{path} {size}" for path, size in entries)))

    def describe(self) -> dict[str, Any]:
        """Returns where the images come from; see `ImageSource.describe`."""
        return {
            "name": self.name,
            "origin": "a folder of images",
            "path": str(self.path),
            "classes": len(self.class_names),
            "licence": None,
            "citation": None,
            "obtained": "read from the folder as they are, labelled by the folders' names",
        }

    def check(self) -> None:
        """Lists the tree anew; see `ImageSource.check`."""
        self.__dict__.pop("_tree", None)
        _ = self._tree

    def _id(self, file: Path) -> str:
        return file.relative_to(self.path).as_posix()

    @cached_property
    def _tree(self) -> dict[str, dict[str, list[Path]]]:
        """The sorted files of each class of each split."""
        if self.path is None:
            wrong, remedy = "The source 'image_folder' needs a path, and none was given.", "Add"
        else:
            wrong, remedy = f"The source's path {self.path} is not a folder that exists.", "Correct"
        if not self.exists():
            raise UserError(f"{wrong} {remedy} --params source_path=<folder>. {LAYOUT}.")
        tree = {split: _classes(self._split_folder(split)) for split in SPLITS}
        if unknown := [name for name in tree["test"] if name not in tree["train"]]:
            raise UserError(
                f"The test split of {self.path} has the class {unknown[0]!r}, which the training split "
                "lacks. Only a class that was trained on can be recognised: add training images of it, or "
                "remove the folder."
            )
        return tree

    def _split_folder(self, split: str) -> Path:
        """Finds the folder of a split."""
        folders = {folder.name.lower(): folder for folder in _folders(self.path)}
        for name in SPLIT_FOLDERS[split]:
            if name in folders:
                return folders[name]
        names = ", ".join(sorted(folder.name for folder in folders.values())[:10]) or "no folder"
        rule = f"It has to be called {' or '.join(SPLIT_FOLDERS[split])}"
        raise UserError(f"{self.path} has no folder for the {split} split. {rule}; found: {names}. {LAYOUT}.")


def _folders(path: Path) -> list[Path]:
    return [entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith(".")]


def _images(path: Path) -> list[Path]:
    """Returns the images directly in a folder, sorted by name."""
    entries = (entry for entry in path.iterdir() if entry.is_file() and not entry.name.startswith("."))
    return sorted(entry for entry in entries if entry.suffix.lower() in EXTENSIONS)


def _classes(split_folder: Path) -> dict[str, list[Path]]:
    """Returns the images of each class folder, in the order of the labels."""
    folders = {folder.name: folder for folder in _folders(split_folder)}
    if not folders:
        lying = len(_images(split_folder))
        seen = f"{lying:,} images lie directly in it" if lying else "it is empty"
        raise UserError(f"{split_folder} has no class: {seen}. {LAYOUT}; move the images into one folder per class.")
    numbers = all(name.isascii() and name.isdigit() for name in folders)
    ordered = sorted(folders, key=(lambda name: (int(name), name)) if numbers else None)
    classes = {name: _images(folders[name]) for name in ordered}
    for name, images in classes.items():
        if not images:
            raise UserError(
                f"The class folder {folders[name]} holds no image. Every class needs at least one file that "
                f"ends in {', '.join(EXTENSIONS)}: add images or remove the folder."
            )
    return classes
