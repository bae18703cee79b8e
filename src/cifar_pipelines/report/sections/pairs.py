"""The part of a section of the comparison report about pairs of models on the same test images."""

from collections.abc import Callable, Sequence

import pandas as pd

from cifar_pipelines.judging.pairs import MOST_MODELS, Pair, UntestedPair, compare_pairs
from cifar_pipelines.judging.statistics import ALPHA, POWER
from cifar_pipelines.report.sections.cells import Columns, markdown_table
from cifar_pipelines.report.sections.ranking import fastest_of_each_model

NO_INTERVAL = (
    "*No interval*: every resample of these test images has the same difference, because none of them, or each of "
    "them in the same way, tells the two models apart."
)


def pairs_part(models: pd.DataFrame) -> str | None:
    """Tests every pair of the most accurate models of a section.

    Args:
        models: Rows of trained models of one section of a summary.

    Returns:
        Markdown that begins with a heading of level 3; None where there are fewer than two models.
    """
    ranking = fastest_of_each_model(models)
    if len(ranking) < 2:
        return None
    tested, untested = compare_pairs(ranking)
    parts = ["### Pairs of models on the same test images"]
    if len(ranking) > MOST_MODELS:
        parts.append(f"Only the {MOST_MODELS} most accurate of {len(ranking)} models are compared.")
    if tested:
        parts += [markdown_table(pd.DataFrame({"pair": tested}), PAIRS), _introduction(len(tested))]
    if any(pair.interval is None for pair in tested):
        parts.append(NO_INTERVAL)
    if untested:
        parts.append(_not_tested(untested))
    return "\n\n".join(parts)


def _introduction(n_tests: int) -> str:
    """Says what the columns are."""
    tests = "the 1 test" if n_tests == 1 else f"the {n_tests} tests"
    return (
        "Each model's latest run at its fastest setting. *Difference* is first minus second, with its 95 % paired "
        "bootstrap interval, which is not corrected for the number of pairs. *McNemar p* is that of the exact test on "
        f"the images that only one of the two got right; *p, Holm* is corrected for {tests} of this table and "
        f"decides: up to {ALPHA:g} the two differ. *Images needed*: with so many test images McNemar's test would "
        f"show the observed difference with a chance of {POWER:.0%}, were it the only test; a number below that of "
        "the test images says that the correction hides the difference."
    )


def _not_tested(untested: Sequence[UntestedPair]) -> str:
    """Names the pairs that were not tested; those with the same reason share a line."""
    by_reason: dict[str, list[str]] = {}
    for pair in untested:
        by_reason.setdefault(pair.reason, []).append(f"{pair.first} and {pair.second}")
    lines = [f"- {'; '.join(names)}: {reason}." for reason, names in by_reason.items()]
    return "\n".join(["Not tested:", "", *lines])


def _difference(pair: Pair) -> str:
    """Writes a difference of accuracies in points, with its interval or that there is none."""
    interval = "no interval" if pair.interval is None else " to ".join(map(_points, pair.interval))
    return f"{_points(pair.counts.difference)} ({interval})"


def _points(share: float) -> str:
    """Writes a difference in points; zero without a sign."""
    points = round(100 * share, 2)
    return f"{points:+.2f}" if points else "0.00"


def _p(p: float) -> str:
    """Writes p with the digits that matter."""
    return "< 0.0001" if p < 1e-4 else f"{p:.4f}"


def _needed(pair: Pair) -> str | None:
    """Writes how many test images a pair that is not shown to differ would need."""
    return None if pair.images_needed is None else f"{pair.images_needed:,}"


def _of_pair(write: Callable[[Pair], object]) -> Callable[[pd.Series], object]:
    """Returns what writes a cell from the pair of a row."""
    return lambda row: write(row["pair"])


PAIRS: Columns = {
    "first": _of_pair(lambda pair: pair.first),
    "second": _of_pair(lambda pair: pair.second),
    "difference [points]": _of_pair(_difference),
    "only first right": _of_pair(lambda pair: f"{pair.counts.only_first:,}"),
    "only second right": _of_pair(lambda pair: f"{pair.counts.only_second:,}"),
    "McNemar p": _of_pair(lambda pair: _p(pair.p)),
    "p, Holm": _of_pair(lambda pair: _p(pair.p_holm)),
    "verdict": _of_pair(lambda pair: "differ" if pair.differs else "not shown"),
    "images needed": _of_pair(_needed),
}
