"""The section on what freezing and transfer gave: networks of one backbone in pairs, on the same images or texts."""

from collections.abc import Iterator
from itertools import combinations, groupby

import pandas as pd

from cifar_pipelines.common.words import in_seconds, seconds
from cifar_pipelines.judging.pairs import Pair, compare_these
from cifar_pipelines.records.ranking import fastest_of_each_model
from cifar_pipelines.records.transfer_roles import RANDOM, ROLES, role_of
from cifar_pipelines.report.document.blocks import Blocks, Section, Spans, bullets, emphasis, say, spans, strong, table
from cifar_pipelines.report.sections.cells import Columns, behind, table_of
from cifar_pipelines.report.sections.pairs import NO_INTERVAL, difference_with_interval, in_points, not_tested, write_p

HEADER = ("first", "second", "accuracy", "difference [points]", "McNemar p", "p, Holm", "fit [s]")
SEEN = ("size", "policy", "max_tokens", "pooling")  # of an input: what of an image or a text reaches the network


def transfer(models: pd.DataFrame, records: pd.DataFrame) -> Section | None:
    """Tests networks of the same backbone whose roles differ, pair by pair; None where there is no such pair.

    Args:
        models: The rows of the trained models of a study.
        records: Its run records, the oldest first.
    """
    rows = networks_by_role(models, records)
    own = rows.set_index("label", drop=False)
    tested, untested = compare_these(rows, list(_chosen(rows)))
    if not tested and not untested:
        return None
    blocks: Blocks = ()
    if tested:
        both = [(pair, own.loc[pair.first], own.loc[pair.second]) for pair in tested]
        noun = rows.iloc[0]["judged_on"]
        paired = rows[rows["label"].isin({label for pair in tested for label in (pair.first, pair.second)})]
        blocks += (table_of(paired, NETWORKS), table(HEADER, [_row(*one) for one in both]), say(_introduction(noun)))
        blocks += (bullets(_sentence(*one) for one in both),)
    if any(pair.interval is None for pair in tested):
        blocks += (say(NO_INTERVAL),)
    if untested:
        blocks += not_tested(untested)
    return Section("transfer", "What freezing and transfer gave", blocks)


def networks_by_role(models: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame:
    """The transferred networks of a study that have a role, each by its latest run at its fastest setting.

    Args:
        models: The rows of its trained models.
        records: Its run records, the oldest first.

    Returns:
        Those rows, with the columns `raw` (the record), `role`, its `place` in `ROLES`, and `backbone`, by backbone and in the order of `ROLES`.
    """
    newest = records.groupby(["label", "setting"], dropna=True).tail(1)[["label", "setting", "raw"]]
    rows = fastest_of_each_model(models).merge(newest, on=["label", "setting"])
    rows = rows.assign(role=rows["raw"].map(role_of), backbone=rows["network"])
    rows = rows[rows["role"].isin(ROLES)]
    place = rows["role"].map(ROLES.index)
    return rows.assign(place=place).sort_values(["backbone", "place", "label"])


def _chosen(rows: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """The labels of all pairs of one backbone and two roles."""
    for (_, first), (_, second) in combinations(rows.iterrows(), 2):
        if first["backbone"] == second["backbone"] and first["role"] != second["role"]:
            yield first["label"], second["label"]


def _introduction(judged_on: str) -> Spans:
    return spans(
        f"Networks of one backbone on the same {judged_on}s, each by its latest run at its fastest setting: ",
        emphasis("fine-tuned"), " began with pretrained weights and learned in more than its head, ",
        emphasis("frozen"), " learned in its head alone, ", emphasis(RANDOM), " began with none that were learned. Difference, interval and p are those of the pairs of models, first minus "
        "second; p by Holm's correction for the tests of this table decides.",
    )  # fmt: skip


def _row(pair: Pair, first: pd.Series, second: pd.Series) -> list[str]:
    return [
        pair.first,
        pair.second,
        f"{first['accuracy']:.1%} / {second['accuracy']:.1%}",
        difference_with_interval(pair),
        write_p(pair.p),
        write_p(pair.p_holm),
        f"{seconds(first['time_s'])} / {seconds(second['time_s'])}",
    ]


def _learned(row: pd.Series) -> str:
    """What learned in the phases, such as "head, last:5"."""
    return ", ".join(what for what, _ in groupby(phase.train for phase in row["raw"].phases))


def _sentence(pair: Pair, first: pd.Series, second: pd.Series) -> Spans:
    """What the pair says in words, and what else the two differ in."""
    gap, p = in_points(pair.counts.difference), f"p = {write_p(pair.p_holm)}".replace("= <", "<")
    if not pair.differs:
        gave = f"no difference in accuracy is shown ({gap} points, {p})"
    elif pair.counts.difference > 0:
        gave = f"{gap.removeprefix('+')} points more ({p})"
    else:
        gave = f"{gap.removeprefix('-')} points less ({p})"
    times = f"{in_seconds(first['time_s'])} against {in_seconds(second['time_s'])} of fitting"
    said = f"{first['label']} against {second['label']}: {gave}, {times}."
    return spans(
        strong(f"{first['backbone']}, {first['role']} against {second['role']}. "),
        " ".join([said, *_doubts(first, second)]),
    )


def _doubts(first: pd.Series, second: pd.Series) -> Iterator[str]:
    """Sentences on what else two networks differ in."""
    ours, theirs = first["raw"].params, second["raw"].params
    if any(ours["input"].get(key) != theirs["input"].get(key) for key in SEEN):
        yield "Their inputs differ too, so that the difference is not one of the training alone."
    known = {params["weights_sha256"] for params in (ours, theirs)} - {None}
    if len(known) > 1:
        yield "They began with pretrained weights of different files."
    if first["setting"] != second["setting"]:
        yield "Their times are of different settings."
    for row in (first, second):
        cache = row["raw"].cache
        if cache and cache.reused:
            yield (
                f"{row['label']} found its stored features there; the run that stored them took {in_seconds(cache.extract_s)} "
                "for it, which its time here lacks."
            )


NETWORKS: Columns = {
    "backbone": "backbone",
    "model": "label",
    "role": "role",
    "learned": _learned,
    "setting": "setting",
    "records": behind,
}
