"""The section on learners that learned from a stream: how fast, how late, and what they were worth before and after."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from cifar_pipelines.common.words import counted, in_seconds
from cifar_pipelines.report.document.blocks import Blocks, Section, Spans, bullets, say, spans, strong
from cifar_pipelines.report.figures import run_figure, run_json
from cifar_pipelines.report.sections.cells import Columns, behind, reference, table_of

INTRODUCTION = (
    "Every image is predicted before it is learned, which is the accuracy while learning; the one after it is that of the images that "
    "models are judged on, when the stream had ended. Late is an image by the seconds from when it was due to the commit of what it taught; "
    "there is a dash where all images had landed before the run. Learning is the time that all learners of the stream took together; side by side is how "
    "many times as much CPU time they took, which is 1 at most where one learns after the other. Settings are compared by the former."
)
STREAMS: Columns = {
    "model": "label",
    "setting": "setting",
    "learners": "learners",
    "on": "engine",
    "images": "images:,d",
    "of them stored": "stored:,d",
    "images/s": "images_per_s:,.0f",
    "late, p50 [s]": "late_p50_s:seconds",
    "late, p99 [s]": "late_p99_s:seconds",
    "waiting": "waiting:,.0f",
    "learning [s]": "learn_s:seconds",
    "side by side": "side_by_side:.2f",
    "while learning": "prequential_accuracy:.1%",
    "log loss": "prequential_log_loss:.2f",
    "after it": "after:.1%",
    "records": behind,
}
FOLDER = "stream"  # of what all learners of a run share
FIGURES = {
    "models": "Learners of the newest stream: the last images before they were learned, and held-out images",
    "pace": "The newest stream: how late frames were learned, and how many waited",
}


def stream(records: pd.DataFrame, reporting: Path) -> Section | None:
    """The newest run of every learner of a study under every setting and engine; None where there is none.

    Args:
        records: Its run records, the oldest first.
        reporting: The folder with the results of all runs.
    """
    learned = _streamed(records)
    if learned.empty:
        return None
    rows = pd.DataFrame(
        [
            {name: run[name] for name in ("label", "setting", "cores", "model", "run_id", "records", "raw")}
            | vars(run["raw"].stream)
            | {"after": run["raw"].metrics["accuracy"]["value"]}
            for _, run in learned.iterrows()
        ]
    )
    latest = rows.groupby(["label", "setting", "engine"]).tail(1).sort_values(["label", "setting", "engine"])
    newest = rows.groupby("label").tail(1).sort_values("label")
    said = [*_gained(latest), *_beside_all_at_once(newest, records), *_found(newest, reporting)]
    blocks = (table_of(latest, STREAMS), say(INTRODUCTION), *((bullets(said),) if said else ()))
    return Section("stream", "Learning from a stream", blocks)


def stream_figures(records: pd.DataFrame, reporting: Path, command: str) -> Blocks:
    """The plots that all learners of the newest stream share, or the command that makes them; see `stream`."""
    newest = _streamed(records).iloc[-1]
    return tuple(run_figure(reporting, newest, name, caption, command, FOLDER) for name, caption in FIGURES.items())


def _streamed(records: pd.DataFrame) -> pd.DataFrame:
    return records[records["raw"].map(lambda record: record.stream is not None)]


def _gained(latest: pd.DataFrame) -> Iterator[Spans]:
    """What learning side by side gained: the time of all learners under every setting and engine, over that with the fewest cores."""
    runs = latest.drop_duplicates(["setting", "engine"]).sort_values(["cores", "setting", "engine"])
    first, *others = runs.iloc
    for run in others:
        if _work_of(run) == _work_of(first) and run["learn_s"]:
            yield spans(
                strong(f"{run['setting']}, learners on {run['engine']}. "),
                f"{counted(run['learners'], 'learner')} took {in_seconds(run['learn_s'])} for {run['images']:,} images; under {first['setting']}, on "
                f"{first['engine']}, {in_seconds(first['learn_s'])}: {first['learn_s'] / run['learn_s']:.2f} times as fast.",
            )


def _work_of(run: pd.Series) -> tuple[Any, ...]:
    """What is the same where times may be compared: how many learners, how many images, and which streams."""
    streams = {name: said for name, said in run["raw"].params.items() if name.startswith("stream.")}
    return run["learners"], run["images"], streams


def _beside_all_at_once(newest: pd.DataFrame, records: pd.DataFrame) -> Iterator[Spans]:
    """One pass over the stream beside a fit of all images at once, on the same features."""
    if exact := list(newest.loc[newest["exact"].astype(bool), "label"]):
        yield spans(
            strong(f"{', '.join(exact)}. "),
            "One pass gives what a fit of all images at once gives, in any order, which "
            "`python -m benchmarks --only learners` measures.",
        )
    for _, run in newest.iterrows():
        same = records[records["model"] == run["at_once"]]
        same = same[same["raw"].map(lambda record, run=run: record.features == run["raw"].features)]
        if not same.empty:
            fitted = same.iloc[-1]
            accuracy = fitted["raw"].metrics["accuracy"]["value"]
            yield spans(
                strong(f"{run['label']}. "),
                f"{run['after']:.1%} after one pass; {fitted['label']}, which has all images at once, {accuracy:.1%} on the same features ",
                reference([*run["records"], *fitted["records"]]),
                ".",
            )


def _found(newest: pd.DataFrame, reporting: Path) -> Iterator[Spans]:
    """What was found of drift and of forgetting."""
    for _, run in newest.iterrows():
        found = run_json(reporting, run, "stream_findings.json")
        try:
            said = [*_of_drift(found), *_of_forgetting(found)]
        except (KeyError, TypeError, ValueError):
            continue
        if said:
            yield spans(strong(f"{run['label']}. "), " ".join(said))


def _of_drift(found: dict[str, Any]) -> Iterator[str]:
    if found.get("drift_alarms") is None:
        return
    alarms = ", ".join(f"{alarm:,}" for alarm in found["drift_alarms"]) or "none"
    yield f"Drift was reported after images: {alarms}."
    if "drift_at" not in found:
        return
    if (at := found["drift_at"]) is None:
        yield "By the server's scenario there is none, so every alarm is false."
    else:
        delay = found["drift_delay"]
        noticed = "it was not noticed" if delay is None else f"noticed {counted(delay, 'image')} later"
        yield f"It came with image {at:,}: {noticed}, {counted(found['false_alarms'], 'false alarm')}."


def _of_forgetting(found: dict[str, Any]) -> Iterator[str]:
    if forgotten := found.get("forgetting"):
        yield (
            f"Classes came in {len(forgotten['phase_classes'])} phases: forgetting {forgotten['forgetting']:.3f}, backward transfer "
            f"{forgotten['backward_transfer']:.3f} (accuracy lost, and gained, on the classes of earlier phases)."
        )
