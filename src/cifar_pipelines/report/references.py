"""Short references to numbered run records, such as [r12]."""

from collections.abc import Iterable
from itertools import groupby

from cifar_pipelines.report.document.blocks import Span, Spans


def reference(numbers: Iterable[int]) -> Spans:
    """Writes the numbers of records, neighbours as a range: [r1–r4, r9]; a dash for none."""
    ordered = sorted(set(numbers))
    if not ordered:
        return (Span("–"),)
    runs = [
        [number for _, number in group]
        for _, group in groupby(enumerate(ordered), lambda pair: pair[1] - pair[0])
    ]
    spans: list[Span] = []
    for run in runs:
        spans += [Span(", " if spans else "["), _link(run[0])]
        if len(run) > 1:
            spans += [Span("–" if len(run) > 2 else ", "), _link(run[-1])]
    return (*spans, Span("]"))


def name_of(number: int) -> str:
    """The short name of a record."""
    return f"r{number}"


def _link(number: int) -> Span:
    return Span(name_of(number), target=f"#{name_of(number)}")
