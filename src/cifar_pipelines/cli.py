"""Commands of the project beside Kedro's own: `kedro experiment`, `settings`, `plan`, `submit`, `bundle` and others."""

from importlib.util import find_spec
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cifar_pipelines.common.commands import ConfSourceOption, Group, ParamsOption
from cifar_pipelines.common.configuration import PROJECT_PATH
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.extras import require_packages
from cifar_pipelines.common.words import counted
from cifar_pipelines.experiment.search_command import search
from cifar_pipelines.experiment_command import experiment, names
from cifar_pipelines.prediction.command import predict, score
from cifar_pipelines.run_command import run
from cifar_pipelines.stream_command import stream


@click.group(name="cifar_pipelines", cls=Group)
def cli() -> None:
    """Commands of cifar_pipelines."""


cli.add_command(run)
cli.add_command(stream)
cli.add_command(predict)
cli.add_command(score)
cli.add_command(search)
cli.add_command(experiment)


@click.command(add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def viz() -> None:
    """Show the lineage in a browser; needs `make install-extras`."""
    require_packages("kedro viz", "kedro_viz")


if find_spec("kedro_viz") is None:  # otherwise the command is its own
    cli.add_command(viz)


@cli.command()
@click.option(
    "--suited",
    is_flag=True,
    help="Print only the names of three settings that suit this host, on one line, for use in scripts.",
)
@click.option("--conf-source", cls=ConfSourceOption)
def settings(suited: bool) -> None:
    """List the parallelism settings that have an environment.

    Every folder conf/exec_<M>x<C> is one: M cores in all, C cores per executor. Run a pipeline under it
    with `kedro run --pipelines spark_ml --env exec_2x1`.
    """
    from cifar_pipelines.spark.environment import settings_that_have_a_folder
    from cifar_pipelines.spark.setting import host_cores

    if suited:
        from cifar_pipelines.experiment.plan import suited_settings

        click.echo(" ".join(suited_settings()))
        return
    cores = host_cores()
    table = Table("environment", "cores", "executors", "cores each", "memory each", "on this host")
    for name, setting in settings_that_have_a_folder():
        if isinstance(setting, UserError):
            table.add_row(name, "", "", "", "", f"[red]cannot be used: {escape(setting.message)}[/red]")
            continue
        fits = f"oversubscribed: {counted(cores, 'core')} here" if setting.oversubscribes(cores) else "fits"
        numbers = (setting.cores_max, setting.executors, setting.executor_cores)
        table.add_row(name, *map(str, numbers), setting.executor_memory, fits)
    Console().print(table)


@cli.command()
@click.option("--cores", type=int, help="Cores of all executors; default: the budget of conf/base/globals.yml.")
@click.option("--memory", help="Executor memory, such as 10g; default: that budget's.")
@click.option(
    "--memory-scope",
    type=click.Choice(["total", "per_executor"]),
    help="Whether the memory is for all executors together or for each; default: that budget's.",
)
@click.option("--executor-memory", help="The most that one executor shall get, such as 2g; default: what fits.")
@click.option("--write", metavar="SETTING", help="Write the environment of a legal setting, such as exec_6x3.")
@click.option("--conf-source", cls=ConfSourceOption)
def plan(
    cores: int | None, memory: str | None, memory_scope: str | None, executor_memory: str | None, write: str | None
) -> None:
    """List the legal settings of a budget, which to measure first, and what to expect of the others.

    Three settings are the most informative ones: the smallest as the baseline, the most cores that this host has, and
    the one that with these tells executors from cores best (D-optimal for log time by log cores and log cores per
    executor). Where the latest study on the embedded cluster measured enough, models of scaling that were fitted to it
    give the fit time to expect, with its interval; otherwise "measure first". docs/scaling_models.md explains them.
    """
    from cifar_pipelines.common.configuration import conf_source, load_configuration
    from cifar_pipelines.common.places import place
    from cifar_pipelines.records.shelf import RecordShelf
    from cifar_pipelines.scaling.environment import write_environment
    from cifar_pipelines.scaling.planner import expectations
    from cifar_pipelines.spark.setting import Budget, host_cores
    from cifar_pipelines.terminal.plan import plan_report

    given = {"cores": cores, "memory": memory, "memory_scope": memory_scope}
    other = {name: value for name, value in given.items() if value is not None}
    budget = Budget(**dict(load_configuration()["globals"]["budget"]) | other)
    if write is not None:
        if other:
            raise UserError("--write takes the budget of conf/base/globals.yml, as runs do. Change it there.")
        click.echo(f"Wrote {write_environment(write, budget, executor_memory, conf_source())}.")
        return
    expected = list(expectations(RecordShelf(PROJECT_PATH / place("run_records")).loaders()))
    Console().print(plan_report(budget, executor_memory, host_cores(), expected))


@cli.command()
@click.option("--refresh", is_flag=True, help="Try the classifiers again instead of showing the last list.")
@click.option("--conf-source", cls=ConfSourceOption)
def classifiers(refresh: bool) -> None:
    """List the classifiers of the installed Spark ML, with what each supports.

    Nothing is typed in: every class of pyspark.ml.classification is fitted to tiny tables on the embedded
    cluster, with two and three classes, and with negative features. The list is kept for the report.
    """
    from cifar_pipelines.common.configuration import load_configuration
    from cifar_pipelines.pipelines.spark_ml.family import selected_classifiers
    from cifar_pipelines.spark.survey import load_or_make_survey

    loader = load_configuration()
    survey = load_or_make_survey(loader, refresh)
    table = Table(title=f"Spark ML {survey['pyspark']}")
    table.add_column("classifier", no_wrap=True)
    columns = ("multiclass", "probabilities", "features")
    for column in columns:
        table.add_column(column)
    for row in survey["classifiers"]:
        table.add_row(row["name"], *(row[column] for column in columns))
    Console().print(table)
    selected = ", ".join(selected_classifiers(loader["parameters"]))
    Console().print(f"Selected in conf/base/parameters_spark_ml.yml: {selected}.")


@cli.command()
@click.option("--write", is_flag=True, help="Write docs/parallelism.md instead of printing.")
def parallelism(write: bool) -> None:
    """List the places in the code where work runs in parallel.

    The list is made from the marks `# PARALLEL(who): what` in the source.
    """
    from cifar_pipelines.report.parallelism_map import parallelism_document

    text = parallelism_document(Path(__file__).parent)
    if write:
        target = PROJECT_PATH / "docs" / "parallelism.md"
        target.write_text(text, encoding="utf-8")
        click.echo(f"Wrote {target.relative_to(PROJECT_PATH)}.")
    else:
        click.echo(text)


@cli.command()
@click.option("--master", required=True, help="Address of the cluster's Master, spark://host:port.")
@click.option("--run-name", required=True, help="Such as a roll number; finds the log afterwards.")
@click.option("--pipelines", help="Pipelines joined by commas; default: all, from images to comparison.")
@click.option("--env", "-e", help="Environment with the parallelism setting, such as exec_8x2.")
@click.option("--params", cls=ParamsOption, help="Parameters, as for `kedro run`.")
@click.option("--conf-source", cls=ConfSourceOption)
def submit(master: str, run_name: str, pipelines: str | None, env: str | None, params: str) -> None:
    r"""Run pipelines on a cluster that is there already, and keep the log under a name.

    Name, environment, parameters and Master are checked before anything starts. The run is a process of its own,
    which ends with this one; its exit status is passed on.

    \b
        kedro submit --master spark://host:7077 --run-name roll_4711 --env exec_8x2 \
            --pipelines ingestion,features,spark_ml --params source=cifar10
    """
    from cifar_pipelines.submission.submit import Submission, run_submission

    submission = Submission(master, run_name, names(pipelines or ""), env, params)
    submission.check()
    terminal = click.get_binary_stream("stdout")

    def show(text: bytes) -> None:
        terminal.write(text)
        terminal.flush()

    record = run_submission(submission, show)
    click.echo(f"Log:         {record.log} (also: kedro logs {run_name} --show)")
    click.echo(f"Application: {', '.join(record.application_ids) or 'none was started'} (on the Master's page)")
    click.echo(f"Spark's log: {', '.join(record.spark_logs) or 'none'}")
    click.echo(f"Exit status: {record.exit_status} ({record.status})")
    raise SystemExit(record.exit_status)


@cli.command()
@click.argument("run_name")
@click.option("--show", is_flag=True, help="Print the newest log.")
def logs(run_name: str, show: bool) -> None:
    """List what ran under a name, submitted or with run_name=<name>, newest last, or print the newest log."""
    from cifar_pipelines.submission.logs import require_logs

    found = require_logs(PROJECT_PATH, run_name)
    if show:
        click.echo((PROJECT_PATH / found[-1].file).read_text(encoding="utf-8", errors="replace"), nl=False)
        return
    for log in found:
        click.echo(log.line)


@cli.command()
@click.argument("run_name", required=False)
@click.option(
    "--output", type=click.Path(path_type=Path), default="bundle.zip", show_default=True, help="The zip to write."
)
@click.option("--check", type=click.Path(path_type=Path), help="Verify the checksums of this bundle instead.")
def bundle(run_name: str | None, output: Path, check: Path | None) -> None:
    """Pack the logs, reports, run records and the code of a run name into a zip.

    MANIFEST.json holds size and sha256 of every file. Data, images and environments are left out. A bundle that
    would hold a secret is refused.
    """
    from cifar_pipelines.submission.bundle import check_bundle, write_bundle
    from cifar_pipelines.submission.contents import collect

    if (run_name is None) == (check is None):
        raise UserError("Give a run name to pack, or --check and a bundle to verify: one of the two.")
    if check is not None:
        manifest = check_bundle(check)
        click.echo(f"{check}: all {len(manifest['files'])} files of {manifest['run_name']} are as written.")
        return
    contents = collect(PROJECT_PATH, run_name)
    number = write_bundle(contents.sources, contents.facts, output)
    click.echo(f"Wrote {output}: {number} files, {output.stat().st_size / 1e6:.1f} MB. Code:")
    for note in contents.notes:
        click.echo(f"  {note}")
