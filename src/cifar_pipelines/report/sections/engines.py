"""The section that sets the engines side by side."""

import pandas as pd

from cifar_pipelines.common import words
from cifar_pipelines.records.ranking import TIE_WITHOUT_REPEATS
from cifar_pipelines.records.summary import marks
from cifar_pipelines.report.document.blocks import Section, Spans, bullets, say, spans, strong
from cifar_pipelines.report.sections.cells import Columns, behind, marked, pair, seconds, table_of
from cifar_pipelines.report.sections.ranking import interval, listed

TIE_IN_SPEED = 0.05  # medians over epochs closer than this share of the smaller one are a tie


def engines(rows: pd.DataFrame) -> Section | None:
    """Compares the engines that trained a network under the same setting in a study; None where no network was trained."""
    networks = rows[rows["network"].notna()]
    if networks.empty:
        return None
    networks = networks.sort_values(["network", "cores", "executor_cores", "engine"])
    groups = list(networks.groupby(["network", "setting"], sort=False))
    conclusion = bullets(
        [
            *(
                spans(strong(f"{network}, {setting}."), f" {' '.join(_compared(group))}")
                for (network, setting), group in groups
                if len(group) > 1
            ),
            *_without_another(pd.concat([group for _, group in groups if len(group) == 1] or [networks[:0]])),
        ]
    )
    if networks["engine"].nunique() == 1:
        only = networks["engine"].iloc[0]
        conclusion = say(f"All were trained by {only}, so there is no engine to compare it with.")
    blocks = (table_of(networks, ENGINES), say(INTRODUCTION), conclusion)
    return Section("engines", "Engines side by side", blocks)


INTRODUCTION = (
    "Fit time is all that one waits for. Images/s (the median over epochs), overhead (what of the fit time is "
    "neither training nor validation: starting workers, reading images, checkpoints), workers and prediction times "
    "(in one task, decoding not counted) are those of the latest run."
)
ENGINES: Columns = {
    "network": "network",
    "setting": "setting",
    "engine": "engine",
    "accuracy": interval,
    "fit time [s]": seconds,
    "training [images/s]": "images_per_s:,.0f",
    "overhead [s]": "engine_overhead_s:seconds",
    "workers x threads": pair("workers:.0f", "threads:.0f", " x "),
    "predict 1 image [ms]": "predict_1_ms:digits",
    "in a batch [ms per image]": lambda row: (
        None
        if pd.isna(row["predict_batched_ms"])
        else f"{words.three_digits(row['predict_batched_ms'])} (of {row['predict_batch']:.0f})"
    ),
    "marks": marked,
    "records": behind,
}


def _without_another(rows: pd.DataFrame) -> list[Spans]:
    """Says which networks were trained by one engine only, and under which settings."""
    alone = [
        f"{network} by {engine} under {listed(list(group['setting']))}"
        for (network, engine), group in rows.groupby(["network", "engine"], sort=False)
    ]
    return [spans(strong("By one engine only."), f" {'; '.join(alone)}.")] if alone else []


def _compared(rows: pd.DataFrame) -> list[str]:
    """Says which engine did better with one network under one setting."""
    if rows["params_digest"].nunique() > 1:
        return ["The engines trained with different parameters, so they are not compared."]
    sentences = [_faster(rows), _less_overhead(rows)]
    if rows["precision"].nunique() > 1:
        used = "; ".join(f"{row['engine']}: {row['precision']}" for _, row in rows.iterrows())
        sentences.append(f"They computed in different precision ({used}).")
    doubts = {row["engine"]: set(marks(row)) - {"one timing"} for _, row in rows.iterrows()}
    doubtful = [f"{engine}: {', '.join(sorted(found))}" for engine, found in doubts.items() if found]
    return [*sentences, f"Marked: {'; '.join(doubtful)}."] if doubtful else sentences


def _faster(rows: pd.DataFrame) -> str:
    """Ranks the engines by images per second."""
    known = rows.dropna(subset="images_per_s").sort_values("images_per_s", ascending=False)
    if len(known) < len(rows):
        return "The speed of training was not recorded for every engine."
    best = known.iloc[0]
    said = []
    for _, other in known.iloc[1:].iterrows():
        more = best["images_per_s"] / other["images_per_s"] - 1
        speeds = [f"{row['images_per_s']:,.0f}" for row in (best, other)]
        if more < TIE_IN_SPEED:
            said.append(
                f"A tie in training speed: {best['engine']} with {speeds[0]} and {other['engine']} with {speeds[1]} "
                f"images/s differ by {more:.1%}, less than {TIE_IN_SPEED:.0%}."
            )
        else:
            said.append(
                f"{best['engine']} trained {more:.0%} more images/s than {other['engine']} ({speeds[0]} against "
                f"{speeds[1]})."
            )
    return " ".join(said)


def _less_overhead(rows: pd.DataFrame) -> str:
    """Ranks the engines by the time outside of training and validation."""
    known = rows.dropna(subset="engine_overhead_s").sort_values("engine_overhead_s")
    if len(known) < len(rows):
        return "Overhead was not recorded for every engine."
    best = known.iloc[0]
    said = []
    for _, other in known.iloc[1:].iterrows():
        more = other["engine_overhead_s"] - best["engine_overhead_s"]
        times = " against ".join(words.in_seconds(row["engine_overhead_s"]) for row in (best, other))
        if more <= TIE_WITHOUT_REPEATS * best["engine_overhead_s"]:
            said.append(
                f"Overhead is a tie ({times}): without repeats a difference below {TIE_WITHOUT_REPEATS:.0%} proves "
                "nothing."
            )
        else:
            said.append(f"{best['engine']} had less overhead than {other['engine']}: {times}.")
    return " ".join(said)
