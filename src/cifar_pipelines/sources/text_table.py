"""Texts in tables, CSV or Parquet: one a row, with a column for the text and one for its class."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from cifar_pipelines.common.contents import TEXT
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.paths import project_path
from cifar_pipelines.common.words import some
from cifar_pipelines.sources import SOURCE_SPLITS, ImageSource, checked_split, in_label_order, register, sha256_of

ENDINGS = (".csv", ".parquet")


@register
class TextTableSource(ImageSource):
    """Texts of `train.csv` and `test.csv` (or `.parquet`) in a folder, with ids such as `train/17`: the row, from 0.

    Args:
        path: The folder.
        text: The column of texts.
        label: The column of classes, which are names whatever they look like.
    """

    name = "text_table"
    content = TEXT
    needs: ClassVar = {"source_path": "<folder>"}

    def __init__(self, path: str | None = None, *, text: str = "text", label: str = "label") -> None:
        self.path = project_path(path, "source_path") if path else None
        self._text, self._label = text, label

    def exists(self) -> bool:
        """Returns whether a folder was given and is there."""
        return self.path is not None and self.path.is_dir()

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes of the training texts, in alphabetical order, or by value if all are numbers."""
        return tuple(in_label_order(self._labels("train").unique()))

    def index(self, split: str) -> pd.DataFrame:
        """Lists the texts of one split; see `ImageSource.index`."""
        label_of = {name: label for label, name in enumerate(self.class_names)}
        labels = self._labels(checked_split(split))
        if unknown := sorted(set(labels) - set(label_of)):
            raise UserError(
                f"{self._file(split)} has the class {unknown[0]!r}, which the training texts lack. Only a class that was trained "
                "on can be recognised: add training texts of it, or remove these rows."
            )
        ids = [f"{split}/{row}" for row in range(len(labels))]
        return pd.DataFrame({"image_id": ids, "label": labels.map(label_of).astype("int64")})

    def read(self, image_ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The texts of rows; see `ImageSource.read`. Every process reads a table once."""
        for image_id in image_ids:
            split, row = image_id.split("/")
            text = read_column(self._file(split), self._text).iloc[int(row)]
            yield image_id, text.encode("utf-8", "surrogateescape")

    def fingerprint(self) -> str:
        """Returns the SHA-256 of the tables' names, sizes and times of change, and of the names of columns."""
        files = [self._file(split) for split in SOURCE_SPLITS]
        entries = (f"{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in files)
        return sha256_of((self.name, self._text, self._label, *entries))

    def describe(self) -> dict[str, Any]:
        """Where the texts come from; see `ImageSource.describe`."""
        return {
            "name": self.name,
            "origin": f"{' and '.join(self._file(split).name for split in SOURCE_SPLITS)}, columns {self._text} and {self._label}",
            "path": str(self.path),
            "classes": len(self.class_names),
            "licence": None,
            "citation": None,
            "obtained": "read from the tables as they are",
        }

    def check(self) -> None:
        """Reads both columns of both tables; see `ImageSource.check`."""
        read_column.cache_clear()
        for split in SOURCE_SPLITS:
            self.index(split)
            read_column(self._file(split), self._text)

    def _labels(self, split: str) -> "pd.Series[str]":
        labels = read_column(self._file(split), self._label)
        if not (empty := labels.index[labels.str.strip() == ""]).empty:
            raise UserError(
                f"Row {empty[0]} of {self._file(split)}, counted from 0, has no label in the column {self._label!r}, like "
                f"{len(empty)} in all. Remove these rows, or label them."
            )
        return labels

    def _file(self, split: str) -> Path:
        if not self.exists():
            raise UserError(
                f"The source_path of texts in tables is {self.path}, which is not a folder that exists. Give the folder that "
                "holds train.csv and test.csv, or train.parquet and test.parquet: --params source_path=<folder>."
            )
        found = [file for ending in ENDINGS if (file := self.path / f"{split}{ending}").is_file()]
        if len(found) != 1:
            what = "both" if found else "neither"
            raise UserError(f"{self.path} holds {what} of {split}.csv and {split}.parquet. Leave one of them there.")
        return found[0]


@lru_cache(maxsize=4)  # two columns of two tables, once per process
def read_column(file: Path, name: str) -> "pd.Series[str]":
    """A column of a table as texts, empty where nothing stands. Bytes that are not UTF-8 are kept for the check to name."""
    try:
        if file.suffix == ".parquet":
            from pyarrow import parquet

            names = parquet.read_schema(file).names
            found = parquet.read_table(file, columns=[name]).to_pandas()[name] if name in names else None
        else:
            table = pd.read_csv(file, dtype=str, keep_default_na=False, encoding_errors="surrogateescape")
            names, found = list(table), table.get(name)
    except (OSError, ValueError) as error:
        raise UserError(f"The table {file} cannot be read: {error}. Give a whole CSV or Parquet file.") from error
    if found is None:
        raise UserError(
            f"{file} has no column {name!r}; it has {some(names, 10, 'column')}. Name the columns with "
            "source_options.text=<column>,source_options.label=<column>."
        )
    found = found.reset_index(drop=True)  # rows are known by their place; a Parquet file may number them otherwise
    return found.astype(object).where(found.notna(), "").astype(str)
