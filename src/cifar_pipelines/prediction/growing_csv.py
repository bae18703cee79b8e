"""A CSV that grows with a stream: every row once, whatever is killed."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import differing
from cifar_pipelines.common.whole_files import write_durably
from cifar_pipelines.judging.predictions import UNLABELLED_COLUMNS
from cifar_pipelines.prediction.request import description_of

FIRST_SEQUENCE = 1


class GrowingCsv:
    """A CSV of predictions, and beside it a JSON that says how far it is to be believed.

    Rows are on the disk before the JSON counts them. What was written and not counted when a process was killed is cut off.

    Args:
        target: The CSV.
        description: Where the predictions come from; one that goes on has the same.

    Attributes:
        next_sequence: Sequence number of the first frame whose predictions are not there.
        predicted: Images whose predictions are there.
        bad: Images that were left out, with the reason.
        producers: The digest of every producer's stream, by name, which the JSON holds with the next rows; empty in older ones.

    Raises:
        UserError: If the CSV holds predictions of something else, or is shorter than it was.
    """

    def __init__(self, target: Path, description: Mapping[str, Any]) -> None:
        self.target, self._described = target, dict(description)
        self.next_sequence, self.predicted, self._bytes = FIRST_SEQUENCE, 0, 0
        self.bad: dict[str, str] = {}
        self.producers: dict[str, str] = {}
        note = description_of(target)
        if note.exists():
            self._go_on(json.loads(note.read_text(encoding="utf-8")))
        elif target.exists():
            raise UserError(
                f"{target} is there already, and nothing is overwritten. Give another --output, or move it."
            )
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._note()
        if not self._bytes:
            self.append(pd.DataFrame(columns=list(UNLABELLED_COLUMNS)), FIRST_SEQUENCE, {})

    def append(self, rows: pd.DataFrame, next_sequence: int, bad: Mapping[str, str]) -> None:
        """Adds the predictions of frames, for good.

        Args:
            rows: With the columns `UNLABELLED_COLUMNS`.
            next_sequence: Sequence number of the frame after them.
            bad: Images of them that were left out, with the reason.
        """
        text = rows.to_csv(index=False, header=not self._bytes)
        with self.target.open("ab") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
            self._bytes = file.tell()
        self.predicted += len(rows)
        self.next_sequence = next_sequence
        self.bad |= bad
        self._note()

    def _note(self) -> None:
        """Writes the JSON; the first time before there is a CSV, so that whatever is killed goes on."""
        said = self._described | {
            "next_sequence": self.next_sequence, "bytes": self._bytes, "predicted": self.predicted, "bad_images": self.bad,
            "producers": self.producers,
        }  # fmt: skip
        write_durably(description_of(self.target), json.dumps(said, indent=2, ensure_ascii=False).encode())

    def _go_on(self, said: dict[str, Any]) -> None:
        self.next_sequence, self._bytes = said.pop("next_sequence", None), said.pop("bytes", None)
        self.predicted, self.bad = said.pop("predicted", 0), said.pop("bad_images", {})
        self.producers = said.pop("producers", {})
        if self._bytes is None or (different := differing(said, self._described, "file")):
            reason = "is no stream's" if self._bytes is None else f"has other predictions: {'; '.join(different)}"
            raise UserError(f"{self.target} {reason}. Give another --output, or move it with its JSON.")
        there = self.target.stat().st_size if self.target.exists() else 0
        if there < self._bytes:
            raise UserError(
                f"{self.target} is shorter than its JSON says, so predictions are lost. Put it back, or remove both to begin anew."
            )
        if there:
            os.truncate(self.target, self._bytes)
