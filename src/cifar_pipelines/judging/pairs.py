"""Pairs of models on the same test images: which differ, and which cannot be told apart."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import pandas as pd

from cifar_pipelines.judging import statistics
from cifar_pipelines.judging.outcomes import Outcomes, outcomes_of

MOST_MODELS = 8  # 28 pairs; with more, Holm's correction would hide what the best models differ in


@dataclass(frozen=True)
class Pair:
    """Two models that were tested on the same test images.

    Attributes:
        first: Label of the first model; of a ranking, the more accurate one.
        second: Label of the other one.
        counts: On which images they are right.
        p: Of the exact McNemar test.
        p_holm: The same, adjusted for all pairs that were tested together.
    """

    first: str
    second: str
    counts: statistics.PairedCounts
    p: float
    p_holm: float

    @property
    def differs(self) -> bool:
        """Whether the two accuracies differ."""
        return self.p_holm <= statistics.ALPHA

    @cached_property
    def interval(self) -> tuple[float, float] | None:
        """Bootstrap interval of the difference; None where resampling cannot tell anything."""
        low, high = statistics.paired_bootstrap(self.counts)
        return (low, high) if low < high else None

    @property
    def images_needed(self) -> int | None:
        """With how many test images the difference would show; None for a pair that differs or is equal."""
        return None if self.differs else statistics.images_needed(self.counts)


@dataclass(frozen=True)
class UntestedPair:
    """Two models that cannot be tested on the same test images, and why."""

    first: str
    second: str
    reason: str


def compare_pairs(ranking: pd.DataFrame) -> tuple[list[Pair], list[UntestedPair]]:
    """Tests every pair of the most accurate models.

    Args:
        ranking: One row per model, the most accurate first, with `label`, `accuracy`, `test_images`,
            `outcome_images` and `outcomes`.

    Returns:
        The pairs that were tested and those that could not be, in the order of the ranking.
    """
    best = ranking.head(MOST_MODELS)
    return compare_these(best, combinations(best["label"], 2))


def compare_these(models: pd.DataFrame, chosen: Iterable[tuple[str, str]]) -> tuple[list[Pair], list[UntestedPair]]:
    """Tests chosen pairs of models together.

    Args:
        models: One row per model, with the columns of `compare_pairs`.
        chosen: First and second label of every pair.

    Returns:
        The pairs that were tested and those that could not be, in their order.
    """
    outcomes = {row["label"]: outcomes_of(row) for _, row in models.iterrows()}
    counted, untested = [], []
    for first, second in chosen:
        reason = _obstacle(outcomes[first], outcomes[second])
        if reason:
            untested.append(UntestedPair(first, second, reason))
        else:
            counted.append((first, second, statistics.count_pairs(outcomes[first].right, outcomes[second].right)))
    p = [statistics.mcnemar_p(counts) for *_, counts in counted]
    tested = zip(counted, p, map(float, statistics.holm(p)), strict=True)
    return [Pair(*pair, raw, adjusted) for pair, raw, adjusted in tested], untested


def _obstacle(first: Outcomes, second: Outcomes) -> str | None:
    """Says why two models cannot be tested on the same images, or None."""
    if first.problem or second.problem:
        return first.problem or second.problem
    return None if first.images == second.images else "they were judged on different data"
