"""Texts in a tree of folders, `split/class/text`."""

from collections import Counter
from functools import cached_property
from typing import Any

import pandas as pd

from cifar_pipelines.common.contents import TEXT
from cifar_pipelines.common.words import counted
from cifar_pipelines.sources import register, sha256_of
from cifar_pipelines.sources.image_folder import ImageFolderSource


@register
class TextFolderSource(ImageFolderSource):
    """Texts in UTF-8, one a file, that lie in one folder per split and class.

    A text's id is its path below the folder of the splits, such as `train/pos/0_9.txt`.

    Args:
        path: The folder.
        leave_out_copies: Whether training texts are left out whose words, one by one, are also a test text.
    """

    name = "text_folder"
    content = TEXT
    no_classes = ("unsup",)  # of the IMDB archive: texts that nobody has labelled

    def __init__(self, path: str | None = None, *, leave_out_copies: bool = False) -> None:
        super().__init__(path)
        self.leave_out_copies = leave_out_copies

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"leave_out_copies": self.leave_out_copies}

    def index(self, split: str) -> pd.DataFrame:
        """Lists the texts of one split, without copies where they are left out; see `ImageSource.index`."""
        listed = super().index(split)
        if split != "train" or not self.leave_out_copies:
            return listed
        return listed[~listed["image_id"].isin(self._copies)].reset_index(drop=True)

    def fingerprint(self) -> str:
        """See `ImageSource.fingerprint`."""
        whole = super().fingerprint()
        return sha256_of((whole, "without copies")) if self.leave_out_copies else whole

    def describe(self) -> dict[str, Any]:
        """Where the texts come from, with the number of copies that are left out; see `ImageSource.describe`."""
        described = super().describe()
        if self.leave_out_copies:
            note = f"{counted(len(self._copies), 'training text')} left out, of which the words are also a test text."
            described["notes"] = [*described["notes"], note]
        return described

    @cached_property
    def _copies(self) -> frozenset[str]:
        """The training texts that are test texts too."""
        listed = {split: super(TextFolderSource, self).index(split)["image_id"] for split in ("test", "train")}
        tested, learned = (
            {name: self.content.examine(text).digest for name, text in self.read(names)} for names in listed.values()
        )
        known = Counter(digest for digest in tested.values() if digest is not None)
        return frozenset(name for name, digest in learned.items() if digest in known)
