"""The section about pairs of models that were judged on the same images or texts."""

from collections.abc import Callable, Sequence

import pandas as pd

from cifar_pipelines.judging.pairs import MOST_MODELS, Pair, UntestedPair, compare_pairs
from cifar_pipelines.judging.statistics import ALPHA, POWER
from cifar_pipelines.records.ranking import fastest_of_each_model
from cifar_pipelines.report.document.blocks import Blocks, Section, Spans, bullets, emphasis, say, spans, table

NO_INTERVAL = spans(
    emphasis("No interval"),
    ": every resample has the same difference, because nothing that was judged, or all of it in the same way, tells the "
    "two models apart.",
)


def pairs(models: pd.DataFrame) -> Section | None:
    """Tests every pair of the most accurate trained models of a study; None where there are fewer than two."""
    ranking = fastest_of_each_model(models)
    if len(ranking) < 2:
        return None
    tested, untested = compare_pairs(ranking)
    judged_on, noun = ranking.iloc[0]["judged_on"], ranking.iloc[0]["content"]
    blocks: Blocks = ()
    if len(ranking) > MOST_MODELS:
        blocks += (say(f"Only the {MOST_MODELS} most accurate of {len(ranking)} models are compared."),)
    if tested:
        columns = PAIRS | {f"{noun}s needed": _needed}
        rows = [[write(pair) for write in columns.values()] for pair in tested]
        blocks += (table(list(columns), rows), say(_introduction(len(tested), judged_on, noun)))
    if any(pair.interval is None for pair in tested):
        blocks += (say(NO_INTERVAL),)
    if untested:
        blocks += not_tested(untested)
    return Section("pairs", f"Pairs of models on the same {judged_on}s", blocks)


def _introduction(n_tests: int, judged_on: str, noun: str) -> Spans:
    """Says what the columns are."""
    tests = "the 1 test" if n_tests == 1 else f"the {n_tests} tests"
    return spans(
        "Each model's latest run at its fastest setting. ",
        emphasis("Difference"),
        " is first minus second, with its 95 % paired bootstrap interval, which is not corrected for the number of "
        "pairs. ",
        emphasis("McNemar p"),
        f" is that of the exact test on the {noun}s that only one of the two got right; ",
        emphasis("p, Holm"),
        f" is corrected for {tests} of this table and decides: up to {ALPHA:g} the two differ. ",
        emphasis(f"{noun.capitalize()}s needed"),
        f": with so many {judged_on}s McNemar's test would show the observed difference with a chance of "
        f"{POWER:.0%}, were it the only test; a number below that of the {judged_on}s says that the correction hides "
        "the difference.",
    )


def not_tested(untested: Sequence[UntestedPair]) -> Blocks:
    """Names the pairs that were not tested; those with the same reason share a line."""
    by_reason: dict[str, list[str]] = {}
    for pair in untested:
        by_reason.setdefault(pair.reason, []).append(f"{pair.first} and {pair.second}")
    return say("Not tested:"), bullets(f"{'; '.join(names)}: {reason}." for reason, names in by_reason.items())


def difference_with_interval(pair: Pair) -> str:
    """Writes the difference of two accuracies in points, with its interval or that there is none."""
    interval = "no interval" if pair.interval is None else " to ".join(map(in_points, pair.interval))
    return f"{in_points(pair.counts.difference)} ({interval})"


def in_points(share: float) -> str:
    """Writes a difference in points; zero without a sign."""
    points = round(100 * share, 2)
    return f"{points:+.2f}" if points else "0.00"


def write_p(p: float) -> str:
    """Writes p with the digits that matter."""
    return "< 0.0001" if p < 1e-4 else f"{p:.4f}"


def _needed(pair: Pair) -> str | None:
    """Writes how many images or texts a pair that is not shown to differ would need."""
    return None if pair.images_needed is None else f"{pair.images_needed:,}"


PAIRS: dict[str, Callable[[Pair], object]] = {
    "first": lambda pair: pair.first,
    "second": lambda pair: pair.second,
    "difference [points]": difference_with_interval,
    "only first right": lambda pair: f"{pair.counts.only_first:,}",
    "only second right": lambda pair: f"{pair.counts.only_second:,}",
    "McNemar p": lambda pair: write_p(pair.p),
    "p, Holm": lambda pair: write_p(pair.p_holm),
    "verdict": lambda pair: "differ" if pair.differs else "not shown",
}
