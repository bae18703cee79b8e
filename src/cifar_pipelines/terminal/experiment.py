"""An experiment in a terminal: what will be done, and at the end what came of it and where it lies."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cifar_pipelines.common.words import counted, in_seconds, seconds
from cifar_pipelines.judging.pairs import compare_pairs
from cifar_pipelines.records.ranking import fastest_of_each_model, told_apart
from cifar_pipelines.records.summary import BUSY_HOST, main_study, trained
from cifar_pipelines.spark.setting import ParallelismSetting, oversubscription

TIE = 0.10  # single timings that are closer than this share are no difference


def opening(
    pipelines: Sequence[str],
    once: Sequence[str],
    settings: Sequence[ParallelismSetting],
    steps: int,
    seconds: float | None,
    host_cores: int | None,
) -> list[str]:
    """What an experiment will do, in sentences.

    Args:
        pipelines: What runs under every setting.
        once: What runs under the last one alone.
        settings: The settings.
        steps: The number of steps.
        seconds: What they will take; None where that is not known.
        host_cores: Cores of this host; None where another cluster does the work.
    """
    shapes = [
        f"{one.name} ({counted(one.executors, 'executor')} of {counted(one.executor_cores, 'core')})"
        for one in settings
    ]
    long = f", about {max(1, round(seconds / 60))} min" if seconds else ""
    then = f"; then {', '.join(once)} under {settings[-1].name}" if once else ""
    said = [
        f"{counted(steps, 'step')}{long}: measurements of {', '.join(pipelines)} under {', '.join(shapes)}{then}; then the report."
    ]
    if host_cores is not None:
        over = [one for one in settings if one.oversubscribes(host_cores)]
        said += [oversubscription(one.name, one.cores_max, host_cores) for one in over]
    return said


def closing(rows: pd.DataFrame, places: Iterable[tuple[str, Path]]) -> RenderableType:
    """The verdict in three sentences, the table, and where to look.

    Args:
        rows: The rows of these images in the table of the comparison; of several studies the main one is told.
        places: What lies where.
    """
    rows = rows if rows.empty else main_study(rows)
    models = trained(rows)
    parts: list[RenderableType] = []
    if not models.empty:
        ranking = fastest_of_each_model(models)
        sentences = (_best_model(ranking), _best_setting(models), _caution(rows))
        parts += [Text(), *map(Text, sentences), Text(), _table(models, ranking), Text()]
    parts += [_link(what, place) for what, place in places]
    return Group(*parts)


def _best_model(ranking: pd.DataFrame) -> str:
    """Says which model is the most accurate and what comes next, by the runs and the tests of the report."""
    best = ranking.iloc[0]
    text = (
        f"The best model is {best['label']}: it is right on {best['accuracy']:.1%} of "
        f"{counted(int(best['test_images']), best['judged_on'])} (95 % interval {best['accuracy_low']:.1%} to "
        f"{best['accuracy_high']:.1%}), guessing on {best['chance']:.1%}"
    )
    if len(ranking) > 1:
        second = ranking.iloc[1]
        pairs = {(pair.first, pair.second): pair for pair in compare_pairs(ranking)[0]}
        apart = told_apart(best, second, pairs.get((best["label"], second["label"])))
        how = "more than chance explains" if apart else "a difference that chance may explain"
        text += f"; next comes {second['label']} with {second['accuracy']:.1%}, {how}"
    return f"{text}."


def _best_setting(models: pd.DataFrame) -> str:
    settings = models["setting"].nunique()
    everywhere = models.groupby("label").filter(lambda one: one["setting"].nunique() == settings)
    if settings < 2 or everywhere.empty:
        return "No model was measured under several settings, so no setting is the best."
    totals = everywhere.groupby("setting")["time_s"].sum().sort_values()
    fastest, rest = totals.index[0], totals.iloc[1:]
    others = ", ".join(f"{setting} {in_seconds(total)}" for setting, total in rest.items())
    tied = [setting for setting, total in rest.items() if total - totals.iloc[0] < TIE * totals.iloc[0]]
    tie = f" With {' and '.join(tied)} that is a tie." if tied else ""
    what = counted(everywhere["label"].nunique(), "model")
    return f"The best setting is {fastest}: the {what} measured under all settings train in {in_seconds(totals.iloc[0])} there, {others}.{tie}"


def _caution(rows: pd.DataFrame) -> str:
    said = []
    if (rows["timings"] == 1).any():
        said.append(
            f"times were measured once, so differences below {TIE:.0%} prove nothing (--repeats 3 measures more)"
        )
    if rows["oversubscribed"].any():
        said.append("settings with more cores than this host say nothing about a cluster")
    if rows["busy_runs"].any():
        said.append(f"other programs took more than {BUSY_HOST:.0%} of the processor meanwhile, so times are noisy")
    return f"Caution: {'; '.join(said)}." if said else "Every time was measured several times on a quiet host."


def _table(models: pd.DataFrame, ranking: pd.DataFrame) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("model", overflow="fold")
    # Heads of two lines leave the names of models their room.
    table.add_column(f"{ranking.iloc[0]['content']}s\nright", justify="right")
    settings = list(models.sort_values(["cores", "executor_cores"])["setting"].unique())
    for setting in settings:
        table.add_column(Text(f"{setting}\n[s]"), justify="right")
    for _, row in ranking.iterrows():
        times = models[models["label"] == row["label"]].set_index("setting")["time_s"]
        cells = [seconds(times[setting]) if setting in times else "" for setting in settings]
        table.add_row(row["label"], f"{row['accuracy']:.1%}", *cells)
    return table


def _link(what: str, place: Path) -> Text:
    """A place as a short path that terminals open."""
    return Text.assemble(f"{what}: ", (str(place), f"link {place.absolute().as_uri()}"))
