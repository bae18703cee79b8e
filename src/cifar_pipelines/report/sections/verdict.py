"""What the measurements say, in sentences, and what they do not say."""

from collections.abc import Callable, Container, Iterable
from typing import NamedTuple

import pandas as pd

from cifar_pipelines.common.words import in_seconds
from cifar_pipelines.families import words_for
from cifar_pipelines.records.parts import Data
from cifar_pipelines.records.ranking import fastest_of_each_model, guesses, time_tie, totals_by_setting
from cifar_pipelines.records.summary import BUSY_HOST, put_together, trained
from cifar_pipelines.report.document.blocks import Section, bullets, spans, strong
from cifar_pipelines.report.sections.images import doubts
from cifar_pipelines.report.sections.ranking import listed, most_accurate

ACCURACY, FIT_TIME, FIT_TIME_OVER_ALL = "accuracy", "fit_time", "fit_time_over_all"
RESOURCES, CAUTIONS = "resources", "cautions"
ALL_BUT_FIT_TIME = (ACCURACY, FIT_TIME_OVER_ALL, RESOURCES, CAUTIONS)


class Topic(NamedTuple):
    """A conclusion: a key (`FIT_TIME` is that of one model, and there is one per model), a title, sentences."""

    key: str
    title: str
    text: str


def verdict(
    rows: pd.DataFrame, data: Data | None = None, why: Callable[[str], str | None] = lambda _: None
) -> tuple[Topic, ...]:
    """Says which model and which setting did best.

    Accuracies are ranked by `most_accurate`. Two times are called a tie when they differ by less than the
    spread (maximum - minimum) of their repeats or, when one of them was measured once only, by less than 10 %.

    Args:
        rows: The rows of one study, with the columns of `add_scaling`.
        data: The images of its newest run; None where nothing is known of them.
        why: Says what was measured that explains the times of a model.

    Returns:
        The conclusions, in reading order.
    """
    models = trained(rows)
    if models.empty:
        nothing = "No trained model is among the run records, so there is nothing to rank yet."
        return (Topic(ACCURACY, "Accuracy", nothing),)
    return (
        Topic(ACCURACY, "Accuracy", most_accurate(models)),
        *(
            Topic(FIT_TIME, f"Training time of {label}", " ".join(filter(None, [fastest_of_model(group), why(label)])))
            for label, group in models.groupby("label")
        ),
        Topic(FIT_TIME_OVER_ALL, "Training time over all", fastest_over_all(models)),
        Topic(RESOURCES, "Resource use", _resources(models)),
        Topic(CAUTIONS, "Cautions", _cautions(rows, data)),
    )


def verdict_section(topics: Iterable[Topic], keys: Container[str] | None = None, anchor: str | None = None) -> Section:
    """Lists conclusions, as a section: all of them, or those with some keys, and then without a title.

    Under the name `anchor` others lead to the first of them.
    """
    shown = [topic for topic in topics if keys is None or topic.key in keys]
    items = bullets(
        spans(strong(f"{topic.title}.", anchor=None if place else anchor), f" {topic.text}")
        for place, topic in enumerate(shown)
    )
    return Section("verdict", "Verdict" if keys is None else "", (items,) if items.items else ())


def fastest_of_model(rows: pd.DataFrame) -> str:
    """Says which setting is fastest for one model, and how well it used its cores."""
    ranking = rows.sort_values(["time_s", "cores"])
    best = ranking.iloc[0]
    if len(ranking) == 1:
        return f"Measured under {_named(best)} only: {in_seconds(best['time_s'])}."
    text = f"Fastest under {_named(best)}: {in_seconds(best['time_s'])} (median of {best['timings']})"
    if best["setting"] != best["reference_setting"]:
        ratio = best["cores"] / best["reference_cores"]
        cores = "as many cores" if ratio == 1 else f"{ratio:g} times the cores"
        text += f", {best['speedup']:.2f} times as fast as {best['reference_setting']} with {cores}"
        text += f" (efficiency {best['efficiency']:.0%})"
    return f"{text}. {_against_the_others(ranking)}"


def fastest_over_all(models: pd.DataFrame) -> str:
    """Says which setting trains all models in the shortest total time."""
    shortest = models.loc[models["time_s"].idxmin()]
    text = [
        f"The shortest training of all is {shortest['label']} under {_named(shortest)}: "
        f"{in_seconds(shortest['time_s'])}, at an accuracy of {shortest['accuracy']:.1%}."
    ]
    several = models["family"].nunique() > 1
    # By family: a slow network would decide the total of all, one that was measured less would prevent it.
    for family, rows in models.groupby("family", sort=False):
        if (n_models := rows["label"].nunique()) > 1:
            what = words_for(family) if several else "models"
            text.append(_shortest_total(rows, f"all {n_models} {what}"))
    if models["extract_s"].notna().any():
        text.append(
            "These times do not contain the extraction of features, which is measured apart"
            + (
                f"; networks that read {models['content'].iloc[0]}s need none."
                if models["network"].notna().any()
                else "."
            )
        )
    return " ".join(text)


def _shortest_total(models: pd.DataFrame, those: str) -> str:
    """Says which setting trains all of these models in the shortest total time."""
    complete = totals_by_setting(models)
    if len(complete) < 2:
        return f"Fewer than two settings were measured for {those}, so no setting wins over all."
    best = complete.iloc[0]
    text = (
        f"Over {those}, {_named(best)} has the shortest total of the median times: {in_seconds(best['time_s'])}. "
        f"{_against_the_others(complete)}"
    )
    if unfinished := sorted(set(models["setting"]) - set(complete["setting"])):
        text += f" Not measured for every model, so not in this ranking: {listed(unfinished)}."
    return text


def _against_the_others(ranking: pd.DataFrame) -> str:
    """Compares the first row, the fastest, with the rest: the ties with their reason, then the next."""
    best = ranking.iloc[0]
    text, following = [], None
    for _, row in ranking.iloc[1:].iterrows():
        reason = time_tie(best, row)
        if reason:
            text.append(f"{_named(row)} ({in_seconds(row['time_s'])}) is a tie with it: {reason}.")
        elif following is None:
            following = row
    if following is not None:
        more = following["time_s"] - best["time_s"]
        after = "The next that differs" if text else "The next"
        text.append(f"{after}, {_named(following)}, needs {in_seconds(more)} ({more / best['time_s']:.0%}) more.")
    return " ".join(text)


def _resources(models: pd.DataFrame) -> str:
    """Says which model and setting spent least, and which got most out of it."""
    cheapest = models.loc[models["core_seconds"].idxmin()]
    text = [
        f"{cheapest['label']} under {_named(cheapest)} reserved the least: {cheapest['core_seconds']:.1f} "
        "core-seconds per fit (cores x time)."
    ]
    richest = models.loc[models["accuracy_per_core_minute"].idxmax()]
    points = f"{100 * richest['accuracy_per_core_minute']:.0f} points of accuracy per core-minute"
    if richest.name == cheapest.name:
        text.append(f"It also gives the most for it, {points}, a measure that favours cheap models.")
    else:
        text.append(f"{richest['label']} under {_named(richest)} gives the most for it: {points}.")
    top = models[models["label"] == fastest_of_each_model(models).iloc[0]["label"]]
    frugal = top.loc[top["core_seconds"].idxmin()]
    if frugal["label"] != cheapest["label"]:
        text.append(
            f"The most accurate model, {frugal['label']}, spends least under {_named(frugal)}: "
            f"{frugal['core_seconds']:.1f} core-seconds."
        )
    busy = models.dropna(subset="utilisation").sort_values("utilisation")
    if not busy.empty:
        least, most = busy.iloc[0], busy.iloc[-1]
        text.append(
            f"The reserved cores computed for {least['utilisation']:.0%} ({least['label']}, {least['setting']}) to "
            f"{most['utilisation']:.0%} ({most['label']}, {most['setting']}) of the time. CPU time of Python "
            "workers is in it where they do the work, in networks; Spark ML works in threads of the JVM."
        )
    return " ".join(text)


def _cautions(rows: pd.DataFrame, data: Data | None) -> str:
    """Says what makes these measurements doubtful."""
    text = [] if data is None else [sentence for _, sentence in doubts(data)]
    if data is not None and data.bad_images_skipped:
        text.append(f"Damaged {data.noun}s were left out: {data.bad_images_skipped:,}.")
    latest = fastest_of_each_model(trained(rows))
    if guessing := [row["label"] for _, row in latest.iterrows() if guesses(row)]:
        text.append(
            f"Not shown to be better than guessing, because their intervals reach down to the share of the most frequent class: "
            f"{listed(guessing)}."
        )
    host = rows["host_cores"].iloc[0]
    over = rows.loc[rows["oversubscribed"], "setting"].unique()
    if len(over):
        text.append(
            f"Oversubscribed, because the host has {host} cores: {listed(sorted(over))}. Their tasks share "
            "cores, so their times do not show what a cluster with that many cores would do."
        )
    busy = rows[rows["busy_runs"] > 0]
    if not busy.empty:
        text.append(
            f"{busy['busy_runs'].sum()} of {rows['runs'].sum()} runs shared the host (other programs had more than "
            f"{BUSY_HOST:.0%} of its CPU time): {listed(sorted(busy['setting'].unique()))}. Their times are noisy."
        )
    fewer = rows.loc[rows["cores"] < rows["asked_cores"], "setting"].unique()
    if len(fewer):
        text.append(f"The cluster granted fewer cores than asked for under {listed(sorted(fewer))}.")
    parts = rows[put_together(rows)]
    if not parts.empty:
        text.append(
            f"{listed([f'{row.label} under {row.setting}' for row in parts.itertuples()])}: a training was resumed "
            "or restarted from a checkpoint, so its time is put together from parts."
        )
    still = rows[(rows["timings"] > 1) & (rows["time_min_s"] == rows["time_max_s"])]
    if not still.empty:
        text.append(
            f"{listed([f'{row.label} under {row.setting}' for row in still.itertuples()])}: all repeats took exactly "
            "as long, which clocks hardly ever show, so a spread of 0 proves nothing. Look at the run records."
        )
    single = int((rows["timings"] == 1).sum())
    if single:
        text.append(f"{single} of {len(rows)} times were measured once only.")
    return " ".join(text) or "None: no oversubscribed setting, no busy host, every time was repeated."


def _named(row: pd.Series) -> str:
    """Names a setting and marks an oversubscribed one."""
    return f"{row['setting']} (oversubscribed)" if row["oversubscribed"] else row["setting"]
