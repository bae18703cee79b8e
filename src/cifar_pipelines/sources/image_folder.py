"""Images in a tree of folders, `split/class/image`; texts lie in one as well, see `text_folder`."""

import logging
import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pandas as pd

from cifar_pipelines.common.contents import Content
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.image_files import ImageFiles
from cifar_pipelines.common.paths import project_path
from cifar_pipelines.common.words import counted, some
from cifar_pipelines.sources import SOURCE_SPLITS, ImageSource, checked_split, in_label_order, register, sha256_of

logger = logging.getLogger(__name__)

# What the folder of a split may be called, whatever its case; the first with a known class is used.
SPLIT_FOLDERS = {"train": ("train", "training"), "test": ("test", "testing", "val", "valid", "validation")}
# A folder of these names may hold images without labels, directly in it, as contests have them.
UNLABELLED_FOLDERS = ("test", "testing")
LAYOUT = "The layout is train/<class>/<{0}> and test/<class>/<{0}>"

Classes = Mapping[str, list[str]]  # the image ids of each class, in the order of the labels


class ImageTree(NamedTuple):
    """The classes of each split, the images without labels, and what a reader should know of the folder, a sentence each."""

    splits: dict[str, Classes]
    unlabelled: list[str]
    notes: list[str]


@register
class ImageFolderSource(ImageSource):
    """Images of any size, in colour or gray, that lie in one folder per split and class.

    An image's id is its path below the folder of the splits, such as `train/airplane/0001.jpg`.
    """

    name = "image_folder"
    needs: ClassVar = {"source_path": "<folder>"}
    no_classes: ClassVar[tuple[str, ...]] = ()  # folders that lie among those of classes and are none

    def __init__(self, path: str | None = None) -> None:
        self.path = project_path(path, "source_path") if path else None

    def exists(self) -> bool:
        """Returns whether a folder was given and is there."""
        try:
            return self.path is not None and self.path.is_dir()
        except OSError as error:  # no access, or a name that is too long
            raise UserError(f"The source's path {self.path} cannot be looked at: {error.strerror}.") from error

    def __getstate__(self) -> dict[str, Any]:
        # The list of all files stays behind: executors are told which images to read.
        return {"path": self.path}

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the training folders, in alphabetical order, or by value if all are numbers."""
        return tuple(self._tree.splits["train"])

    def index(self, split: str) -> pd.DataFrame:
        """Lists the images of one split; see `ImageSource.index`."""
        classes = self._tree.splits[checked_split(split)]
        label_of = {name: label for label, name in enumerate(self.class_names)}
        rows = [(image_id, label_of[name]) for name, image_ids in classes.items() for image_id in image_ids]
        return pd.DataFrame(rows, columns=["image_id", "label"]).astype({"label": "int64"})

    def unlabelled(self) -> list[str]:
        """The images that lie directly in the test folder; see `ImageSource.unlabelled`."""
        return self._tree.unlabelled

    def read(self, image_ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Reads files, of those that are too large no more than shows it; see `ImageSource.read`."""
        for image_id in image_ids:
            with _still_there(self.path / image_id, self.content.noun) as path, path.open("rb") as file:
                image = file.read(self.content.largest_file + 1)
            yield image_id, image

    def total_bytes(self, image_ids: Sequence[str]) -> int:
        """Adds up the sizes of the files; see `ImageSource.total_bytes`."""
        return sum(self._status(image_id).st_size for image_id in image_ids)

    def fingerprint(self) -> str:
        """Returns the SHA-256 of all images' paths, sizes and times of change, so that a replaced one is noticed."""
        splits = self._tree.splits.values()
        labelled = (image_id for classes in splits for found in classes.values() for image_id in found)
        image_ids = sorted((*labelled, *self._tree.unlabelled))
        statuses = ((image_id, self._status(image_id)) for image_id in image_ids)
        entries = (f"{image_id} {status.st_size} {status.st_mtime_ns}" for image_id, status in statuses)
        return sha256_of((self.name, *entries))

    def describe(self) -> dict[str, Any]:
        """Returns where the images come from, with notes on the folder; see `ImageSource.describe`."""
        return {
            "name": self.name,
            "origin": f"a folder of {self.content.noun}s",
            "path": str(self.path),
            "classes": len(self.class_names),
            "licence": None,
            "citation": None,
            "obtained": "read from the folder as they are, labelled by the folders' names",
            "notes": self._tree.notes,
        }

    def check(self) -> None:
        """Lists the tree anew and says what is noteworthy of it; see `ImageSource.check`."""
        self.__dict__.pop("_tree", None)
        for note in self._tree.notes:
            logger.warning("%s", note)

    def _status(self, image_id: str) -> os.stat_result:
        with _still_there(self.path / image_id, self.content.noun) as path:
            return path.stat()

    @cached_property
    def _tree(self) -> ImageTree:
        """The sorted images of each class of each split."""
        self._require_folder()
        files, noun = ImageFiles(self.path, self.content), self.content.noun
        folders = self._split_folders(files)
        train = _classes(folders["train"][0], files)
        left_out = {name: len(train.pop(name)) for name in self.no_classes if name in train}
        # A test folder without classes is for a contest; the labelled images may lie in another one, or nowhere.
        labelled = [folder for folder in folders["test"] if set(train) & set(_class_folders(folder, files, set(train)))]
        flat = next((folder for folder in folders["test"] if _is_flat(folder, files)), None)
        others = [folder for folder in folders["test"] if folder != flat]
        chosen = {"train": folders["train"][0], "test": (labelled or others or [flat])[0]}
        test = {} if chosen["test"] == flat else _classes(chosen["test"], files, set(train))
        if unknown := [name for name in test if name not in train]:
            raise UserError(
                f"The test split of {self.path} has the class {unknown[0]!r}, which the training split "
                "lacks. Only a class that was trained on can be recognised: add training "
                f"{noun}s of it, or "
                f"remove the folder. {noun.capitalize()}s without labels have to lie directly in the test folder."
            )
        unused = [
            f"{folder} is not read: the {split} split is {chosen[split].name}/, the first that has known classes."
            for split in SOURCE_SPLITS
            for folder in folders[split]
            if folder not in (chosen[split], flat)
        ]
        unused += [
            f"The folder {name} is no class: its {counted(n, noun)} are not read." for name, n in left_out.items()
        ]
        unlabelled = _in_order(files.below(flat)) if flat else []
        if flat:
            unused.append(
                f"The {counted(len(unlabelled), noun)} directly in {flat} have no label: they are predicted, not judged."
            )
        return ImageTree({"train": train, "test": test}, unlabelled, [*files.notes(), *unused])

    def _require_folder(self) -> None:
        if self.exists():
            return
        if self.path is None:
            wrong, remedy = f"The source {self.name!r} needs a path, and none was given.", "Add"
        elif self.path.is_file():
            wrong = f"The source's path {self.path} is a file, and {self.content.noun}s are read from a folder."
            remedy = "If it is an archive, unpack it, and give its folder:"
        else:
            wrong, remedy = f"The source's path {self.path} is not a folder that exists.", "Correct"
        raise UserError(f"{wrong} {remedy} --params source_path=<folder>. {LAYOUT.format(self.content.noun)}.")

    def _split_folders(self, files: ImageFiles) -> dict[str, list[Path]]:
        """The folders that each split may be read from, the likeliest first."""
        found = _folders_of_splits(self.path, files)
        inside = files.folders(self.path)
        top = inside
        while len(top) == 1 and not any(found.values()):  # archives often hold one folder that holds all the rest
            found, top = _folders_of_splits(top[0], files), files.folders(top[0])
        if all(found.values()):
            return found
        if self.path.name.lower() in sum(SPLIT_FOLDERS.values(), ()):
            raise UserError(
                f"{self.path} is the folder of one split. Give the one that holds both: "
                f"--params source_path={self.path.parent}. {LAYOUT.format(self.content.noun)}."
            )
        split = next(split for split in SOURCE_SPLITS if not found[split])
        names = some([folder.name for folder in inside], 10, "folder") or "no folder"
        rule = f"It has to be called {' or '.join(SPLIT_FOLDERS[split])}"
        raise UserError(
            f"{self.path} has no folder for the {split} split. {rule}; found: {names}. {LAYOUT.format(self.content.noun)}."
        )


@contextmanager
def _still_there(image: Path, noun: str) -> Iterator[Path]:
    """Says which image it is that was listed and cannot be read."""
    try:
        yield image
    except OSError as error:
        raise UserError(
            f"The {noun} {image} cannot be read: {error.strerror}. Put it back or make it readable, on all hosts of the "
            "cluster, and leave the folder alone while it is read."
        ) from error


def _folders_of_splits(path: Path, files: ImageFiles) -> dict[str, list[Path]]:
    inside = files.folders(path)
    return {
        split: [folder for name in names for folder in inside if folder.name.lower() == name]
        for split, names in SPLIT_FOLDERS.items()
    }


def _is_flat(folder: Path, files: ImageFiles) -> bool:
    """Whether images lie directly in a test folder, and no other folder does."""
    return folder.name.lower() in UNLABELLED_FOLDERS and not files.folders(folder) and files.lying_in(folder) > 0


def _in_order(image_ids: list[str]) -> list[str]:
    """By name, or by value where all names are numbers."""
    stems = [Path(image_id).stem for image_id in image_ids]
    if not all(stem.isascii() and stem.isdigit() for stem in stems):
        return image_ids
    return [image_id for _, image_id in sorted(zip(map(int, stems), image_ids, strict=True))]


def _class_folders(split_folder: Path, files: ImageFiles, known: Set[str] = frozenset()) -> dict[str, list[Path]]:
    """The folders of each class; names that look alike are the same, however their accents are written."""
    folders: dict[str, list[Path]] = {}
    inside = files.folders(split_folder)
    if len(inside) == 1 and inside[0].name not in known and not files.lying_in(inside[0]):
        deeper = files.folders(inside[0])
        # One folder around those of several classes: a single class could not be told from anything.
        if len(deeper) > 1 or any(folder.name in known for folder in deeper):
            inside = deeper
    for folder in inside:
        folders.setdefault(unicodedata.normalize("NFC", folder.name), []).append(folder)
    return folders


def _classes(split_folder: Path, files: ImageFiles, known: Set[str] = frozenset()) -> Classes:
    """Returns the images of each class folder, in the order of the labels."""
    folders = _class_folders(split_folder, files, known)
    if not folders:
        lying, noun = files.lying_in(split_folder), files.content.noun
        seen = f"{noun}s lie directly in it ({lying:,})" if lying else "it is empty"
        raise UserError(
            f"{split_folder} has no class: {seen}. {LAYOUT.format(noun)}; move the {noun}s into one folder per class."
        )
    files.leave_out(split_folder)
    classes = {
        name: [image for folder in folders[name] for image in files.below(folder)] for name in in_label_order(folders)
    }
    for name, images in classes.items():
        if not images:
            raise _no_image(folders[name][0], files.content)
    return classes


def _no_image(folder: Path, content: Content) -> UserError:
    inside = ImageFiles(folder, content)
    inside.below(folder)
    notes = "".join(f"{note} " for note in inside.notes())
    return UserError(
        f"The class folder {folder} holds no {content.noun}. {notes}Every class needs at least one file that ends in "
        f"{', '.join(content.extensions)}: add {content.noun}s or remove the folder."
    )
