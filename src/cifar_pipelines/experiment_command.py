"""`kedro experiment`."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, chdir, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_pipelines.common.commands import Command, ConfSourceOption, ParamsOption
from cifar_pipelines.common.configuration import PROJECT_PATH
from cifar_pipelines.common.words import counted

if TYPE_CHECKING:
    from rich.console import Console

    from cifar_pipelines.experiment.plan import Experiment
    from cifar_pipelines.experiment.progress import Progress
    from cifar_pipelines.experiment.run import Watch


def names(text: str) -> tuple[str, ...]:
    """Names that are joined by commas, with or without blanks."""
    return tuple(name for name in map(str.strip, text.split(",")) if name)


@click.command(cls=Command)
@click.option("--settings", help="Settings such as exec_8x1,exec_8x2; default: three that suit this host.")
@click.option(
    "--pipelines", help="Pipelines to run under every setting; default: ingestion and every family that runs unasked."
)
@click.option("--once", help="Pipelines to run once, under the last setting, such as transfer,streaming.")
@click.option("--repeats", type=int, help="How often to run those under every setting.  [default: 1]")
@click.option("--params", cls=ParamsOption, help="Parameters for every run, as for `kedro run`.")
@click.option(
    "--params-of",
    help="An environment, such as animals, whose parameters come before those; its experiment.yml has the other options.",
)
@click.option(
    "--grow-to",
    type=click.IntRange(0),
    help="Training images for the first CNN with the best setting; default: twice train_size, at most what there is. 0 leaves this out.",
)
@click.option("--again", is_flag=True, help="Measure anew what is recorded already.")
@click.option(
    "--page/--no-page",
    default=True,
    show_default=True,
    help="Serve a page that shows how far it is, to this host alone.",
)
@click.option("--conf-source", cls=ConfSourceOption)
def experiment(
    settings: str | None, pipelines: str | None, once: str | None, repeats: int | None, params: str, params_of: str | None,
    grow_to: int | None, again: bool, page: bool,
) -> None:  # fmt: skip
    r"""Measure pipelines under several settings, train on more images with the best, and compare.

    Every run is a process of its own. Repeats go round all settings in turn, so that a busy minute of the host
    falls on none of them alone. What is recorded with the same parameters is skipped, so an experiment that was
    stopped goes on with the same command. A run that fails is reported, and the others go on.

    The best setting is the one with the shortest median fit time of the first CNN; accuracy counts only where a
    setting is really worse, its whole interval below that of the most accurate one.

    The full study of a laboratory, three repeats on CIFAR-10 under three settings of 8 cores:

    \b
        kedro experiment --settings exec_8x1,exec_8x2,exec_8x4 --repeats 3 \
            --params source=cifar10,extractor=timm:tf_efficientnet_lite1 --grow-to 20000
    """
    from rich.console import Console

    from cifar_pipelines.common.configuration import load_configuration
    from cifar_pipelines.experiment import plan as planning
    from cifar_pipelines.experiment.run import run_experiment
    from cifar_pipelines.experiment.study_file import study_file
    from cifar_pipelines.spark import environment

    console = Console()
    with console.status("Checking settings, parameters and models"):
        text = environment.params_of(params_of, params)
        file = study_file(params_of)
        chosen = names(settings) if settings else tuple(file.settings) or planning.suited_settings()
        measured = names(pipelines) if pipelines else tuple(file.pipelines) or planning.default_pipelines()
        extra = names(once) if once is not None else tuple(file.once)
        plan = planning.Experiment(
            chosen, measured, file.repeats if repeats is None else repeats, text, extra, params_of
        )
        plan.check()
        if grow_to is None:
            grow_to = file.grow_to
        if grow_to is None:
            grow_to = planning.twice(load_configuration(chosen[0], plan.params)["parameters"]["subset"]["train_size"])
    outcomes, _ = run_experiment(plan, grow_to or None, again, console, file.seconds, _watch(plan, page))
    if outcomes and outcomes[-1].status == "done":  # the comparison is of this experiment
        _close(plan, console)
    if failed := [outcome for outcome in outcomes if outcome.status == "failed"]:
        click.echo(
            f"{len(failed)} of {counted(len(outcomes), 'step')} failed; the same command{' without --again' if again else ''} tries only them "
            "again.",
            err=True,
        )
        raise SystemExit(1)


def _watch(plan: "Experiment", page: bool) -> "Watch":
    """Says what will be done, and serves the page meanwhile."""

    @contextmanager
    def watch(progress: "Progress") -> Iterator[None]:
        from cifar_pipelines.common.configuration import load_configuration
        from cifar_pipelines.experiment.page import Watched, serve_page
        from cifar_pipelines.families import INGESTION
        from cifar_pipelines.spark.environment import setting_under
        from cifar_pipelines.spark.setting import host_cores
        from cifar_pipelines.spark.spark_config import EMBEDDED
        from cifar_pipelines.terminal.experiment import opening

        loaders = {name: load_configuration(name, plan.params) for name in plan.settings}
        settings = [setting_under(name, loader) for name, loader in loaders.items()]
        embedded = loaders[plan.settings[0]]["spark"]["master"] == EMBEDDED
        measured = [name for name in plan.pipelines if name != INGESTION]
        steps, seconds = len(progress.lines()), progress.seconds_left()
        for line in opening(measured, plan.once, settings, steps, seconds, host_cores() if embedded else None):
            progress.say(line)
        if not page:
            yield
            return
        with ExitStack() as stack:
            try:
                said = f"To watch it in a browser: {stack.enter_context(serve_page(Watched(plan, progress)))}"
            except OSError as error:
                said = f"No page shows it, because this host lets none be served: {error}."
            progress.say(said)
            yield

    return watch


def _close(plan: "Experiment", console: "Console") -> None:
    """Prints the verdict on the images of the plan, where there is a comparison."""
    from kedro.io import DataCatalog

    from cifar_pipelines.common.configuration import load_configuration
    from cifar_pipelines.records.json_form import from_json
    from cifar_pipelines.records.parts import Data
    from cifar_pipelines.terminal.experiment import closing

    loader = load_configuration(plan.settings[0], plan.params)
    entries, subset = loader["catalog"], loader["parameters"]["subset"]
    kept = ("comparison_table", "images_info", "comparison_html", "comparison_pdf")
    with chdir(PROJECT_PATH):
        catalog = DataCatalog.from_config({name: entries[name] for name in kept})
        if not all(map(catalog.exists, kept)):
            return
        info, table = catalog["images_info"].load(), catalog["comparison_table"].load()
    rows = table[table["fingerprint"] == info["fingerprint"]]
    here = {name: Path(os.path.relpath(PROJECT_PATH / entries[name]["filepath"])) for name in kept[2:]}
    places = [("Report", here["comparison_html"]), ("as PDF", here["comparison_pdf"])]
    console.print(closing(rows, places, from_json(Data, {**info, "seed": subset["seed"]})))
