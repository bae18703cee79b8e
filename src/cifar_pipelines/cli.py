"""Commands of the project beside Kedro's own: `kedro settings`, `kedro classifiers`, `kedro parallelism`."""

import re
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from cifar_pipelines.configuration import PROJECT_PATH
from cifar_pipelines.errors import UserError


@click.group(name="cifar_pipelines")
def cli() -> None:
    """Commands of cifar_pipelines."""


@cli.command()
@click.option(
    "--suited",
    is_flag=True,
    help="Print only the names of three settings that suit this host, on one line, for use in scripts.",
)
def settings(suited: bool) -> None:
    """List the parallelism settings that have an environment.

    Every folder conf/exec_<M>x<C> is one: M cores in all, C cores per executor. Run a pipeline under it
    with `kedro run --pipeline spark_ml --env exec_8x2`.
    """
    from cifar_pipelines.configuration import load_configuration
    from cifar_pipelines.spark.parallelism import ParallelismSetting, host_cores, suited_shapes

    cores = host_cores()
    legal: dict[tuple[int, int], ParallelismSetting] = {}
    table = Table("environment", "cores", "executors", "cores each", "memory each", "on this host")
    for name in _environments():
        block = load_configuration(env=name)["globals"]
        try:
            setting = ParallelismSetting.from_config(block["parallelism"], block["budget"])
        except UserError as error:
            table.add_row(name, "", "", "", "", f"[red]illegal: {error.message}[/red]")
            continue
        legal[setting.cores_max, setting.executor_cores] = setting
        fits = "fits" if setting.cores_max <= cores else f"oversubscribed: {cores} cores here"
        numbers = (setting.cores_max, setting.executors, setting.executor_cores)
        table.add_row(name, *map(str, numbers), setting.executor_memory, fits)
    if suited:
        click.echo(" ".join(legal[shape].name for shape in suited_shapes(cores, list(legal))))
    else:
        Console().print(table)


def _environments() -> list[str]:
    folders = (path.name for path in (PROJECT_PATH / "conf").glob("exec_*"))
    return sorted(folders, key=lambda name: [int(number) for number in re.findall(r"\d+", name)])


@cli.command()
@click.option("--refresh", is_flag=True, help="Try the classifiers again instead of showing the last list.")
def classifiers(refresh: bool) -> None:
    """List the classifiers of the installed Spark ML, with what each supports.

    Nothing is typed in: every class of pyspark.ml.classification is fitted to tiny tables on the embedded
    cluster, with two and three classes, and with negative features. The list is kept for the report.
    """
    from cifar_pipelines.configuration import load_configuration, selected_classifiers
    from cifar_pipelines.spark.survey import load_or_make_survey

    survey = load_or_make_survey(load_configuration(), refresh)
    table = Table(title=f"Spark ML {survey['pyspark']}")
    table.add_column("classifier", no_wrap=True)
    for column in ("multiclass", "probabilities", "features"):
        table.add_column(column)
    for row in survey["classifiers"]:
        table.add_row(row["name"], row["multiclass"], row["probabilities"], row["features"])
    console = Console()
    console.print(table)
    console.print(f"Selected in conf/base/parameters_spark_ml.yml: {', '.join(selected_classifiers())}.")


@cli.command()
@click.option("--write", is_flag=True, help="Write docs/parallelism.md instead of printing.")
def parallelism(write: bool) -> None:
    """List the places in the code where work runs in parallel.

    The list is made from the marks `# PARALLEL(who): what` in the source.
    """
    from cifar_pipelines.parallelism_map import parallelism_document

    text = parallelism_document(Path(__file__).parent)
    if write:
        target = PROJECT_PATH / "docs" / "parallelism.md"
        target.write_text(text)
        click.echo(f"Wrote {target.relative_to(PROJECT_PATH)}.")
    else:
        click.echo(text)
