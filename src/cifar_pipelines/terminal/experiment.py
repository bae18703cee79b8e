"""An experiment in a terminal: what will be done, and at the end what came of it and where it lies."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cifar_pipelines.common.words import counted, seconds
from cifar_pipelines.records.conclusion import MOST_CAUTIONS, NO_CAUTION, best_model, best_setting, cautions
from cifar_pipelines.records.parts import Data
from cifar_pipelines.records.ranking import fastest_of_each_model
from cifar_pipelines.records.summary import main_study, trained
from cifar_pipelines.spark.setting import ParallelismSetting, oversubscription


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


def closing(rows: pd.DataFrame, places: Iterable[tuple[str, Path]], data: Data | None = None) -> RenderableType:
    """The verdict in the three sentences of the report's page 1, the table, and where to look.

    Args:
        rows: The rows of these images in the table of the comparison; of several studies the main one is told.
        places: What lies where.
        data: These images or texts; None where nothing is known of them.
    """
    rows = rows if rows.empty else main_study(rows)
    models = trained(rows)
    parts: list[RenderableType] = []
    if not models.empty:
        ranking = fastest_of_each_model(models)
        sentences = (best_model(models).text, best_setting(models).text, _said(cautions(rows, data)))
        parts += [Text(), *map(Text, sentences), Text(), _table(models, ranking), Text()]
    parts += [_link(what, place) for what, place in places]
    return Group(*parts)


def _said(said: Sequence[str]) -> str:
    """The cautions in one sentence: as many as page 1 of the report has."""
    return f"Caution: {'; '.join(said[:MOST_CAUTIONS])}." if said else NO_CAUTION


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
