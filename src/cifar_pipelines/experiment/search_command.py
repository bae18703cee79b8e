"""`kedro search`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from cifar_pipelines.common.commands import Command, ConfSourceOption, ParamsOption
from cifar_pipelines.common.words import counted, seconds

if TYPE_CHECKING:
    from rich.table import Table

    from cifar_pipelines.experiment.search import Found


@click.command(cls=Command)
@click.argument("pipeline")
@click.option("--vary", multiple=True, required=True, help="Values to try, name=value+value; once for every name.")
@click.option("--env", "-e", default="exec_2x1", show_default=True, help="Environment with the parallelism setting.")
@click.option("--params-of", help="An environment, such as competition59, whose parameters come before those.")
@click.option("--params", cls=ParamsOption, help="Parameters for every run, as for `kedro run`.")
@click.option("--conf-source", cls=ConfSourceOption)
def search(pipeline: str, vary: tuple[str, ...], env: str, params_of: str | None, params: str) -> None:
    r"""Try every combination of parameters' values with the models of a PIPELINE, and rank them by validation images.

    Every combination is a run of its own. What is recorded already is skipped, so a search that was stopped goes on with
    the same command. Test images decide nothing: train with the best values and look at its test score once.

    \b
        kedro search bigdl_cnn --params source=image_folder,source_path=<folder>,validation.share=0.15 \
            --vary bigdl_cnn.models.airbench.recipe.flip=true+false --vary bigdl_cnn.models.airbench.recipe.cutout=0+8
    """
    from rich.console import Console

    from cifar_pipelines.experiment.search import Search, run_search
    from cifar_pipelines.spark import environment

    text = environment.params_of(params_of, params)
    searched = Search.of(env, pipeline, vary, text, params_of)
    searched.check()
    console = Console()
    found, failed, file = run_search(searched, console)
    if found:
        console.print(_table(found))
    if found and found[0].judged_by_them:
        click.echo(
            "No test image has a label, so models are judged on the images that chose the best here: its accuracy is a little too "
            "high. `kedro score` tells, once the truth of the images without labels is known."
        )
    click.echo(f"Found: {file}")
    if failed:
        click.echo(
            f"{counted(len(failed), 'run')} of {len(searched.combinations)} failed and {'is' if len(failed) == 1 else 'are'} not in the "
            "ranking; the same command tries only what is missing."
        )
        raise SystemExit(1)


def _table(found: "Sequence[Found]") -> "Table":
    from rich import box
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    from cifar_pipelines.experiment.search import in_words

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, title_justify="left")
    for name in ("model", "values"):
        table.add_column(name, overflow="fold")
    for name in ("right", "95 % interval", "p against\nthe best", "fit\n[s]"):
        table.add_column(Text(name), justify="right", no_wrap=True)
    table.title = f"{len(found)} models by {found[0].images} validation images"
    for one in found:
        values = "\n".join(in_words(one.values))
        interval = f"{one.low:.1%} to {one.high:.1%}"
        p = "" if one.p is None else f"{one.p:.3g}"
        table.add_row(one.model, escape(values), f"{one.accuracy:.1%}", interval, p, seconds(one.fit_s))
    return table
