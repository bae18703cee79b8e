"""The section on where the time went: applications joined to run records, a table, and a sentence per model."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from cifar_pipelines.common.words import in_seconds
from cifar_pipelines.event_log.component_names import COMPONENTS
from cifar_pipelines.event_log.components import REMAINDER
from cifar_pipelines.records.job_groups import GROUP_SEPARATOR, groups_of, named_together
from cifar_pipelines.records.ranking import time_tie, totals_by_setting
from cifar_pipelines.records.summary import SECTION, main_study, of_section, put_together
from cifar_pipelines.report.document.blocks import Section, Spans, bullets, code, emphasis, say, spans, strong
from cifar_pipelines.report.sections.cells import Columns, behind, table_of

SCHEMA_VERSION = 1
FACTS = ("run_id", "application_id", "group", "wall_s", "cores", "core_s", "cpu_share", "worst_skew")
SMALLEST_SHARE = 0.02  # components below this share are added up


def join_applications(
    applications: Mapping[str, Callable[[], dict]], comparison_table: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, Any], list[str]]:
    """Finds, for every model and setting, the job group that trained it.

    Args:
        applications: Functions that load what a run wrote of its application, by name.
        comparison_table: What `compare_runs` returned.

    Returns:
        One row per model and setting with an application: what names the section, `label`, `setting`, `FACTS` and
        the core-seconds of every component, of the repeat with the median wall time; the timeline of the latest
        application of the main study; and a sentence for every application that cannot be read.
    """
    read, left_out = _read(applications)
    by_run = {content["run_id"]: content for content in read}
    rows = [
        {name: row[name] for name in (*SECTION, "label", "setting")} | found
        for _, row in comparison_table.iterrows()
        if (found := _median_group(row, by_run))
    ]
    table = pd.DataFrame(rows, columns=[*SECTION, "label", "setting", *FACTS, *COMPONENTS])
    own = set(" ".join(main_study(comparison_table)["run_ids"]).split())
    return table, _timeline([content for content in read if content["run_id"] in own]), left_out


def components(rows: pd.DataFrame, joined: pd.DataFrame) -> Section:
    """Says where the time of each model of a study went, from what `join_applications` returned."""
    numbers = rows[[*SECTION, "label", "setting", "records"]]
    mine = joined.merge(numbers, on=[*SECTION, "label", "setting"])
    shown = () if mine.empty else (say(INTRODUCTION), table_of(named_together(mine), COMPONENTS_TABLE))
    sentences = bullets(_missing(mine, rows))
    return Section("components", "Where the time went", (*shown, *([sentences] if sentences.items else [])))


INTRODUCTION = spans(
    "Shares of the core-seconds (wall time x cores) of a fit or an extraction, from Spark's event log and the workers' "
    "own counters; of several repeats the one with the median time. The files in ",
    code("data/08_reporting/applications/"),
    " hold every number. ",
    emphasis("Remainder"),
    " is what no counter explains, below zero where tasks overlap. ",
    emphasis("Longest / median task"),
    " is that of the most uneven stage. Models that learn in one query have one row.",
)


def _read(applications: Mapping[str, Callable[[], dict]]) -> tuple[list[dict], list[str]]:
    """Loads what can be read, oldest run first."""
    read, left_out = [], []
    for name, load in sorted(applications.items()):
        try:
            content = load()
            if content["schema_version"] != SCHEMA_VERSION:
                raise ValueError(f"schema_version is {content['schema_version']!r}, not {SCHEMA_VERSION}")
            for group in content["groups"]:
                _facts(content, group)
            read.append(content)
        except Exception as error:  # a truncated or foreign file can fail in any way
            cause = error.__cause__ or error
            left_out.append(f"Application {name!r} is left out: it cannot be read ({type(cause).__name__}: {cause}).")
    return sorted(read, key=lambda content: str(content["run_id"])), left_out


def _median_group(row: pd.Series, by_run: Mapping[str, dict]) -> dict[str, Any] | None:
    """The job group with the median wall time, over all repeats of all runs of a row."""
    found = [
        _facts(content, group)
        for run_id in row["run_ids"].split()
        if (content := by_run.get(run_id)) and content["setting"] == row["setting"]
        for group in groups_of(content, row["job_groups"].split(GROUP_SEPARATOR))
    ]
    found.sort(key=lambda facts: facts["wall_s"])
    return found[(len(found) - 1) // 2] if found else None


def _facts(content: Mapping[str, Any], group: Mapping[str, Any]) -> dict[str, Any]:
    skew = group["skew"]
    return {
        "run_id": content["run_id"],
        "application_id": content["application_id"],
        "group": group["group"],
        "wall_s": group["wall_s"],
        "cores": group["cores"],
        "core_s": group["core_s"],
        "cpu_share": group["cpu"]["share_of_core_s"],
        "worst_skew": skew["ratio"] if skew else None,
        **{name: group["components"].get(name, {"core_s": 0.0})["core_s"] for name in COMPONENTS},
    }


def _timeline(read: list[dict]) -> dict[str, Any]:
    """The timeline of the latest application, with what names it; empty where there is none."""
    if not read:
        return {}
    latest = read[-1]
    return latest["timeline"] | {name: latest[name] for name in ("run_id", "setting", "application_id")}


def _shares(row: pd.Series) -> str | None:
    """Writes the components of a row, the largest first; the remainder has a column of its own."""
    if not row["core_s"]:
        return None
    shares = {name: row[name] / row["core_s"] for name in COMPONENTS if name != REMAINDER}
    large = sorted((name for name in shares if shares[name] >= SMALLEST_SHARE), key=shares.get, reverse=True)
    words = [f"{COMPONENTS[name].name} {shares[name]:.1%}" for name in large]
    if others := sum(share for name, share in shares.items() if name not in large):
        words.append(f"others {others:.1%}")
    return ", ".join(words)


COMPONENTS_TABLE: Columns = {
    "model": "label",
    "setting": "setting",
    "wall [s]": "wall_s:seconds",
    "core-seconds": "core_s:.1f",
    "spent on": _shares,
    "remainder": lambda row: f"{row[REMAINDER] / row['core_s']:.1%}" if row["core_s"] else None,
    "CPU used": "cpu_share:.0%",
    "longest / median task": "worst_skew:.2f",
    "records": behind,
}


def why(label: str, rows: pd.DataFrame, joined: pd.DataFrame) -> str | None:
    """Says what made a model's slowest setting slower than its fastest, or, under one setting, what its time was spent on.

    Args:
        label: The model.
        rows: The rows of its study.
        joined: What `join_applications` returned.

    Returns:
        A sentence; None where no application of it was read.
    """
    own = of_section(joined, rows)
    group, of_model = own[own["label"] == label], rows[rows["label"] == label].set_index("setting")
    if group.empty:
        return None
    if len(group) > 1:
        return _compared(group, of_model)
    only = group.iloc[0]
    first = own[(own["application_id"] == only["application_id"]) & (own["group"] == only["group"])]["label"].min()
    if first != label:
        return f"It learned in the same query as {first}, so the same holds."
    shares = {name: only[name] / only["core_s"] for name in COMPONENTS} if only["core_s"] else {}
    most = [name for name in sorted(shares, key=shares.get, reverse=True)[:2] if round(100 * shares[name]) > 0]
    if not most:
        return None
    spent = " and ".join(f"{COMPONENTS[name].name} ({shares[name]:.0%})" for name in most)
    largest = "largest part of its core-seconds was" if len(most) == 1 else "largest parts of its core-seconds were"
    return f"Under {only['setting']} the {largest} {spent}; what would help next: {COMPONENTS[most[0]].advice}."


def why_together(models: pd.DataFrame, joined: pd.DataFrame) -> str | None:
    """Says of several models together what made the slowest setting slower than the fastest.

    Args:
        models: Rows of models that were measured under the same settings.
        joined: What `join_applications` returned.

    Returns:
        A sentence; None where an application was not read, or models share one, so that parts do not add up.
    """
    if models.empty:
        return None
    own = of_section(joined, models)
    own = own[own["label"].isin(models["label"])]
    if len(own) < len(models) or own.duplicated(["application_id", "group"]).any():
        return None
    sums = {name: "sum" for name in ("wall_s", *COMPONENTS)} | {"cores": "max"}
    return _compared(own.groupby("setting", as_index=False).agg(sums), totals_by_setting(models).set_index("setting"))


def _compared(group: pd.DataFrame, rows: pd.DataFrame) -> str:
    """Compares the components of the slowest setting with those of the fastest.

    Args:
        group: Wall time, cores and the core-seconds of every component by setting.
        rows: What `time_tie` reads, by setting.
    """
    times = rows.loc[group["setting"], "time_s"]
    by_setting = group.set_index("setting", drop=False)
    slow, fast = by_setting.loc[times.idxmax()], by_setting.loc[times.idxmin()]
    if slow["setting"] == fast["setting"] or not min(slow["cores"], fast["cores"]):
        return f"All settings took {in_seconds(fast['wall_s'])}, so no component makes a difference."
    seconds = {name: (slow[name] / slow["cores"], fast[name] / fast["cores"]) for name in COMPONENTS}
    name = max(seconds, key=lambda one: seconds[one][0] - seconds[one][1])
    sentence = (
        f"From {slow['setting']}, the slowest ({in_seconds(slow['wall_s'])}), to {fast['setting']}, the fastest "
        f"({in_seconds(fast['wall_s'])}), the largest difference is in {COMPONENTS[name].name}: {in_seconds(seconds[name][0])} of "
        f"the wall time against {in_seconds(seconds[name][1])}; what would help next: {COMPONENTS[name].advice}"
    )
    one, other = rows.loc[slow["setting"]], rows.loc[fast["setting"]]
    if time_tie(one, other):
        sentence += "; but the two times are a tie, so this may be chance"
    elif put_together(rows).loc[[slow["setting"], fast["setting"]]].any():
        sentence += "; a training was resumed or restarted, so this compares parts of it"
    return f"{sentence}."


def _missing(mine: pd.DataFrame, rows: pd.DataFrame) -> list[Spans]:
    """Names models and settings without an application."""
    there = set(zip(mine["label"], mine["setting"], strict=True))
    missing = [
        f"{row['label']} under {row['setting']}"
        for _, row in rows.iterrows()
        if (row["label"], row["setting"]) not in there
    ]
    why = (
        f" No application is there for {'; '.join(missing)}: their runs left no event log, it could not be read, or it "
        "is that of this very run, which is read when the run has ended."
    )
    return [spans(strong("Missing."), why)] if missing else []
