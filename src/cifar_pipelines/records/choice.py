"""The setting that is best for a model, chosen from its run records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from cifar_pipelines.common.words import in_seconds
from cifar_pipelines.records.run_record import RunRecord


@dataclass(frozen=True)
class Candidate:
    """A setting under which a model was measured.

    Attributes:
        fit_s: Median fit time of so many repeats, in seconds.
        accuracy: Accuracy of the newest run; `low` and `high` are the ends of its interval.
        run_ids: The runs that it was measured in; empty in choices older than them.
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
    """The best setting for a model, and why.

    Attributes:
        best: The fastest candidate that is not less accurate.
        candidates: All, fastest first.
        less_accurate: Names of those whose interval lies below that of the most accurate.
        reason: The choice in a sentence.
        model: The model that it was made for; empty in choices older than that, which were made for CNNs.
    """

    best: Candidate
    candidates: tuple[Candidate, ...]
    less_accurate: tuple[str, ...]
    reason: str
    model: str = ""


def best_setting(records: Mapping[str, Sequence[RunRecord]]) -> Choice | None:
    """Chooses the setting with the shortest median fit time.

    Accuracy is a guard only: a setting is passed over if the upper end of its interval lies below the lower
    end of the most accurate one's. Chosen by accuracy, the winner would be drawn by lot, since settings change how
    fast a network learns, hardly what it learns.

    Args:
        records: Run records of the model by setting.

    Returns:
        The choice; None if there is no record.
    """
    candidates, model = [], ""
    for setting, runs in records.items():
        if not runs:
            continue
        model = runs[-1].model
        times = [seconds for run in runs for seconds in run.timings.fit_s]
        scores = (runs[-1].score(f"accuracy.{name}") for name in ("value", "low", "high"))
        run_ids = tuple(run.run_id for run in runs)
        candidates.append(Candidate(setting, median(times), len(times), *scores, run_ids))
    if not candidates:
        return None
    candidates.sort(key=lambda candidate: candidate.fit_s)
    top = max(candidates, key=lambda candidate: candidate.accuracy)
    worse = tuple(candidate.setting for candidate in candidates if candidate.high < top.low)
    good = [candidate for candidate in candidates if candidate.setting not in worse]
    return Choice(good[0], tuple(candidates), worse, _reason(candidates, good, worse), model)


def _reason(candidates: Sequence[Candidate], good: Sequence[Candidate], worse: Sequence[str]) -> str:
    """The choice in a sentence."""
    best = good[0]
    among = "Of the settings that are not less accurate, " if worse else ""
    reason = f"{among}{best.setting} has the shortest median fit time, {in_seconds(best.fit_s)}"
    if len(candidates) == 1:
        reason = f"{best.setting} is the only setting that was measured ({in_seconds(best.fit_s)})"
    else:
        if len(good) > 1:
            more = good[1].fit_s / best.fit_s - 1
            reason += f"; {good[1].setting} needs {in_seconds(good[1].fit_s)} ({more:.0%} more)"
        if min(candidate.repeats for candidate in candidates) == 1:
            reason += "; measured once, so a difference of a few per cent may be noise"
    if worse:
        reason += f"; passed over as less accurate: {', '.join(worse)}"
    return f"{reason}."
