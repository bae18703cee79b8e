"""The run records that are there already, and the setting that they show to be the best."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from cifar_pipelines.records.digest import pipeline_of

RECORDS = Path("data/08_reporting/run_records")


class RecordShelf:
    """All run records below a folder, read anew at every question.

    Args:
        folder: Holds `<setting>/<model>.json/<version>/<model>.json`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def matching(self, setting: str, pipeline: str, model: str, digest: str) -> list[dict[str, Any]]:
        """The records of a model under a setting with exactly this configuration, oldest first."""
        found = self.of_model(setting, pipeline, model)
        return [record for record in found if record["configuration"] == digest]

    def of_model(self, setting: str, pipeline: str, model: str) -> list[dict[str, Any]]:
        """The records of a model under a setting with any configuration, oldest first."""
        found = []
        for file in sorted((self.folder / setting).glob("*.json/*/*.json")):
            try:
                record = json.loads(file.read_text())
                same = record["model"] == model and "configuration" in record
                same = same and pipeline_of(record["family"]) == pipeline
            except (ValueError, KeyError, TypeError):  # half-written, or of an older schema: not recorded
                continue
            if same:
                found.append(record)
        return found

    def loaders(self) -> dict[str, Callable[[], dict[str, Any]]]:
        """Functions that load a record, of all settings, by the path of the file."""

        def load(file: Path) -> dict[str, Any]:
            return json.loads(file.read_text())

        files = sorted(self.folder.glob("*/*.json/*/*.json"))
        return {str(file.relative_to(self.folder)): partial(load, file) for file in files}

    def missing(
        self, setting: str, expected: Mapping[str, Mapping[str, str]], pipelines: Iterable[str], repeat: int
    ) -> tuple[str, ...]:
        """The pipelines that still lack a record of some model for this repeat, in their order."""
        return tuple(
            pipeline
            for pipeline in pipelines
            if any(
                len(self.matching(setting, pipeline, model, digest)) < repeat
                for model, digest in expected[pipeline].items()
            )
        )


@dataclass(frozen=True)
class Candidate:
    """A setting under which the CNN was measured.

    Attributes:
        setting: Its name.
        fit_s: Median fit time in seconds.
        repeats: How many times went into it.
        accuracy: Accuracy of the newest run.
        low: Lower end of its interval.
        high: Upper end.
        run_ids: The runs that it was measured in.
    """

    setting: str
    fit_s: float
    repeats: int
    accuracy: float
    low: float
    high: float
    run_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choice:
    """The best setting for the CNN, and why.

    Attributes:
        best: The fastest candidate that is not less accurate.
        candidates: All, fastest first.
        less_accurate: Names of those whose interval lies below that of the most accurate.
        reason: The choice in a sentence.
    """

    best: Candidate
    candidates: tuple[Candidate, ...]
    less_accurate: tuple[str, ...]
    reason: str


def best_setting(records: Mapping[str, list[dict[str, Any]]]) -> Choice | None:
    """Chooses the setting with the shortest median fit time.

    Accuracy is a guard only: a setting is passed over if the upper end of its interval lies below the lower
    end of the most accurate one's. Chosen by accuracy, the winner would be drawn by lot, since settings change how
    fast a network learns, hardly what it learns.

    Args:
        records: Run records of the CNN by setting.

    Returns:
        The choice; None if there is no record.
    """
    candidates = []
    for setting, runs in records.items():
        if not runs:
            continue
        times = [seconds for run in runs for seconds in run["timings"]["fit_s"]]
        score = runs[-1]["metrics"]["accuracy"]
        accuracy = (score["value"], score["low"], score["high"])
        ids = tuple(run["run_id"] for run in runs)
        candidates.append(Candidate(setting, median(times), len(times), *accuracy, ids))
    if not candidates:
        return None
    candidates.sort(key=lambda one: one.fit_s)
    top = max(candidates, key=lambda one: one.accuracy)
    worse = tuple(one.setting for one in candidates if one.high < top.low)
    best = next(one for one in candidates if one.setting not in worse)
    reason = f"{best.setting} has the shortest median fit time of the CNN, {best.fit_s:.1f} s"
    if len(candidates) == 1:
        reason = f"{best.setting} is the only setting under which the CNN was measured ({best.fit_s:.1f} s)"
    else:
        following = next((one for one in candidates if one is not best and one.setting not in worse), None)
        if following:
            more = following.fit_s / best.fit_s - 1
            reason += f"; {following.setting} needs {following.fit_s:.1f} s ({more:.0%} more)"
        if min(one.repeats for one in candidates) == 1:
            reason += "; measured once, so a difference of a few per cent may be noise"
    if worse:
        reason += f"; passed over as less accurate: {', '.join(worse)}"
    return Choice(best, tuple(candidates), worse, reason + ".")
