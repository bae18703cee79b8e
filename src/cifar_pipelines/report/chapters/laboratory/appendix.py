"""The end of the report: other studies, what was left out, versions, and where every number comes from."""

import pandas as pd

from cifar_pipelines.common.places import place
from cifar_pipelines.report.chapters.laboratory.settings import topics
from cifar_pipelines.report.document.blocks import (
    Block,
    Blocks,
    Heading,
    Paragraph,
    Span,
    bullets,
    say,
    table,
)
from cifar_pipelines.report.references import name_of
from cifar_pipelines.report.studies import Content, Study


def further(content: Content) -> Blocks:
    """What the comparison found beside the answers."""
    plots = list(content.plots.values())
    content.plots.clear()
    return (*content.study.parts.take_whole(), *content.parts.take_whole(), *plots)


def other_studies(content: Content) -> Blocks:
    """The other studies, each in short."""
    if not content.others:
        return ()
    blocks: list[Block] = [
        say(
            "These differ from the main text in data, sizes, seed, host or cluster, so nothing here is ranked against "
            "it. Each is told in short; all of it is in report.md and comparison.csv beside this report."
        )
    ]
    for study in content.others:
        blocks += _in_short(study)
    return tuple(blocks)


def _in_short(study: Study) -> Blocks:
    return (
        Heading(2, (Span(study.title),)),
        *topics(study.verdict, "(?!Training time of)"),
        *study.parts.take_whole("Scores of", level=3),
        *study.parts.take_whole("Time by", level=3),
    )


def left_out(content: Content) -> Blocks:
    """The records that are not in the tables, with the reason."""
    content.parts.take("What was left out")
    if not content.left_out:
        return (say("Nothing: every run record is in the tables."),)
    return (bullets((Span(sentence),) for sentence in content.left_out),)


def reading(content: Content) -> Blocks:
    """What the words in tables and plots mean."""
    return content.parts.take("How to read this")


def versions(content: Content) -> Blocks:
    """Versions, host and code."""
    study = content.study
    newest = study.records.iloc[-1]["raw"]
    setting, effective = newest["parallelism"], newest["parallelism"].get("effective") or {}
    facts = [
        ("code revision", newest.get("git_revision")),
        ("host cores", setting["host_cores"]),
        ("cluster", "embedded" if effective.get("embedded", True) else effective.get("master")),
        ("hosts of the executors", ", ".join(effective.get("hosts") or []) or None),
        ("application", setting.get("application_id")),
        ("log folder", setting.get("log_dir")),
    ]
    return (
        *study.parts.take("Versions"),
        say(f"The newest run of this study, {newest['run_id']}:"),
        table(["", ""], facts),
    )


def sources(content: Content) -> Blocks:
    """Every run record with its number."""
    return (
        say(
            "Every number in a table or a sentence comes from the run records that are named beside it. A record is a "
            f"JSON file below {place('run_records')}; it holds the numbers, the parameters, the setting, the versions and the "
            "revision of the code. Records that are in no table have older parameters than others of the same model."
        ),
        table(
            ["record", "run", "model", "setting", "in the tables", "file"],
            [_source(row) for _, row in content.records.iterrows()],
        ),
    )


def _source(row: pd.Series) -> tuple:
    name = name_of(int(row["number"]))
    used = pd.notna(row["label"])
    return (
        *((Span(name, anchor=name),), row["run_id"], row["label"] if used else row["model"], row["setting"]),
        *("yes" if used else "no", f"{row['record']}.json"),
    )


def about(content: Content) -> Blocks:
    """What stands before the table of contents."""
    study, records = content.study, content.records
    used = int(records["label"].notna().sum())
    text = [
        f"Made from {len(records)} run records, {used} of them in the tables; the newest is of "
        f"{records['created'].max():%Y-%m-%d %H:%M} UTC. "
    ]
    if content.others:
        others = len(content.others)
        text.append(
            f"The main text is about the study with the most measurements ({len(study.rows)} rows of model and "
            "setting): "
        )
        after = (
            f" {others} other {'study follows' if others == 1 else 'studies follow'} in a part of "
            f"{'its' if others == 1 else 'their'} own; no table mixes them, but for the one on more training images."
        )
    else:
        text.append("All of them belong to one study: ")
        after = ""
    return (
        Paragraph((Span("".join(text)), Span(study.title, strong=True), Span(f".{after}"))),
        say("References such as [r1] name run records; the last section says in which files they are."),
    )
