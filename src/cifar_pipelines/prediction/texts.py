"""Texts that are given on the command line or in one file, for a saved model to predict."""

from collections.abc import Sequence
from pathlib import Path

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.sources.text_table import read_column

COLUMN = "text"


def given_texts(texts: Sequence[str]) -> dict[str, bytes]:
    """Texts of the command line by their number, from 1."""
    return {str(number): text.encode("utf-8", "surrogateescape") for number, text in enumerate(texts, start=1)}


def texts_of_file(file: Path) -> dict[str, bytes]:
    """The texts of a file by their place: of CSV and Parquet the column `text` by row, from 0; else by line, from 1.

    Empty lines are passed over.

    Raises:
        UserError: If there is none, or the file cannot be read.
    """
    if file.suffix.lower() in (".csv", ".parquet"):
        found = {
            str(row): text.encode("utf-8", "surrogateescape") for row, text in enumerate(read_column(file, COLUMN))
        }
    else:
        lines = file.read_bytes().splitlines()
        found = {str(number): line for number, line in enumerate(lines, start=1) if line.strip()}
    if not found:
        raise UserError(
            f"{file} holds no text. Give a file with a text on every line, or a CSV with the column {COLUMN}."
        )
    return found
