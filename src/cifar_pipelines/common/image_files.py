"""Files of images, or of texts, below a folder, and what lies among them that is none."""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from cifar_pipelines.common.contents import IMAGE, Content
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.words import some

_OF_ARCHIVES = "__MACOSX"  # what macOS adds to a zip: files that are called like images and are none
_BREAKING = ("Cc", "Zl", "Zp")  # what ends a line or steers a terminal, as Unicode classifies it
_KINDS = 10  # of files that are left out; more would bury the message


class ImageFiles:
    """Lists folders and images below a root, and remembers what it leaves out or finds where nobody may expect it.

    What is hidden is passed over, and links are followed. Files are named by their paths below the root, with slashes.

    Args:
        root: Links that lead out of it are remembered.
        content: What is looked for; this class calls all of it images.
    """

    def __init__(self, root: Path, content: Content = IMAGE) -> None:
        self.root, self.content = root, content
        self._real_root = root.resolve()
        self._left_out: Counter[str] = Counter()
        self._leading_out: set[str] = set()
        self._deeper: list[str] = []

    def folders(self, path: Path) -> list[Path]:
        """The folders directly in a folder, in alphabetical order."""
        return sorted(path / entry.name for entry in self._entries(path) if _is_folder(entry))

    def lying_in(self, path: Path) -> int:
        """How many images lie directly in a folder."""
        return sum(self._is_image(entry) for entry in self._entries(path) if _is_file(entry))

    def below(self, path: Path) -> list[str]:
        """All images in a folder and in those below it, in alphabetical order."""
        found = sorted(self._walk(path, frozenset()))
        level = self._name(path).count("/") + 1
        self._deeper += [name for name in found if name.count("/") > level]
        return found

    def everything(self) -> list[str]:
        """All images below the root, at any depth, in alphabetical order."""
        return sorted(name.removeprefix("./") for name in self._walk(self.root, frozenset()))

    def leave_out(self, path: Path) -> None:
        """Remembers that the images directly in a folder have no class."""
        if lying := self.lying_in(path):
            self._left_out[f"{self.content.noun}s beside the folders of classes"] += lying

    def notes(self) -> list[str]:
        """What a reader should know of the search, a sentence each."""
        notes, noun = [], self.content.noun
        if self._left_out:
            commonest = sorted(self._left_out.items(), key=lambda item: (-item[1], item[0]))
            kinds = [f"{kind} ({count:,})" for kind, count in commonest[:_KINDS]]
            more = ", and others" if len(self._left_out) > _KINDS else ""
            notes.append(f"Files that are not read as {noun}s: {', '.join(kinds)}{more}.")
        if self._deeper:
            deeper = some(self._deeper, 1, noun)
            notes.append(
                f"{noun.capitalize()}s deeper than <split>/<class>/, which count for the class they are below: {deeper}."
            )
        if self._leading_out:
            links = some(sorted(self._leading_out), 1, "link")
            notes.append(f"Links that lead out of {self.root}, and are followed: {links}.")
        return notes

    def _walk(self, path: Path, above: frozenset[tuple[int, int]]) -> Iterator[str]:
        """All images below a folder; `above` holds the folders on the way, into which a link may lead back."""
        status = path.stat()
        above |= {(status.st_dev, status.st_ino)}
        name = self._name(path)
        for entry in self._entries(path):
            if _is_folder(entry):
                inside = entry.stat()
                if (inside.st_dev, inside.st_ino) not in above:
                    yield from self._walk(path / entry.name, above)
            elif not _is_file(entry):
                self._left_out["links to nothing"] += 1
            elif self._is_image(entry):
                yield f"{name}/{entry.name}"
            else:
                self._left_out[Path(entry.name).suffix.lower() or "without an ending"] += 1

    def _entries(self, path: Path) -> list["os.DirEntry[str]"]:
        """What is directly in a folder.

        Raises:
            UserError: If the folder cannot be read, a name in it is not UTF-8, or that of a folder or an image does not
                stand on one line.
        """
        try:
            with os.scandir(path) as listed:
                entries = [entry for entry in listed if not entry.name.startswith(".") and entry.name != _OF_ARCHIVES]
        except OSError as error:
            raise UserError(
                f"The folder {path} cannot be read: {error.strerror}. Make it readable, or move it away."
            ) from error
        for entry in entries:
            _require_utf8(path, entry.name)
            if self._is_image(entry) or _is_folder(
                entry
            ):  # others may be called as they like: macOS has files "Icon\r"
                _require_one_line(path, entry.name)
            if entry.is_symlink():
                target = Path(os.path.realpath(entry.path))
                if not target.is_relative_to(self._real_root):
                    self._leading_out.add(f"{self._name(Path(entry.path))} -> {target}")
        return entries

    def _is_image(self, entry: "os.DirEntry[str]") -> bool:
        return entry.name.lower().endswith(self.content.extensions)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _is_file(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def _require_utf8(folder: Path, name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise UserError(
            f"The folder {folder} holds a name that is not UTF-8: {os.fsencode(name)!r}. Tables and reports are UTF-8: "
            "rename it, or all that is in the folder with `convmv -r -f latin1 -t utf8 --notest <folder>`."
        ) from None


def _require_one_line(folder: Path, name: str) -> None:
    if any(unicodedata.category(sign) in _BREAKING for sign in name):
        raise UserError(
            f"The folder {folder} holds {name!r}, a name with a line break or another control character. Names of images and "
            "classes stand on one line of tables and reports: rename it."
        )
