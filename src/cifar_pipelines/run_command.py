"""The project's own `kedro run`: Kedro's, with what the pipelines need made first and mistakes found before anything."""

import logging
import os
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.runner import SequentialRunner

from cifar_pipelines.common import configuration
from cifar_pipelines.common.commands import Command, ParamsOption
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.params import parse_params

logger = logging.getLogger(__name__)

SEQUENTIAL = ("SequentialRunner", "kedro.runner.SequentialRunner")
# With one of these a run is a part of its pipelines, and whoever names it knows what is there. As Kedro's filter has them.
PARTS = {
    **{name: name for name in ("node_names", "from_nodes", "to_nodes", "from_inputs", "to_outputs", "tags")},
    "namespaces": "node_namespaces",
}


def _run(only_what_is_there: bool, **given: Any) -> None:
    from cifar_pipelines.preflight import check_parts, check_run, has_to_run_first

    _refuse_other_runners(given)
    asked = _asked_pipelines(click.get_current_context(), given)
    loader = _checked_loader(given)
    parts = {argument: given[name] for name, argument in PARTS.items() if given[name]}
    if parts:
        check_parts(asked, loader, parts)
    first = {} if parts else check_run(asked, loader)
    if first and only_what_is_there:
        reasons = "; ".join(f"{name} has to run first, because {reason}" for name, reason in first.items())
        raise has_to_run_first(first, reasons[:1].upper() + reasons[1:])
    for name, reason in first.items():
        logger.info("%s runs first, because %s.", name, reason)
    # Its advice to go on from a node cannot help: the same command goes on, with what is there.
    logging.getLogger(SequentialRunner.__module__).addFilter(lambda record: record.levelno != logging.WARNING)
    kedro_run.callback(**given | {"pipeline": None, "pipelines": [*first, *asked] if asked else []})


def _refuse_other_runners(given: dict[str, Any]) -> None:
    """All nodes of a run share one Spark, and what is timed must not share its cores with another node."""
    if given["is_async"] or given["runner_params"].get("is_async"):
        raise UserError("--async cannot work here: all nodes of a run share one Spark session. Leave it out.")
    if given["runner"] not in (None, *SEQUENTIAL) or set(given["runner_params"]) - {"is_async"}:
        raise UserError(
            "--runner and --runner-params ask for another runner, but nodes run one after another here: they share one Spark session, which "
            "is what runs in parallel, and times would disturb each other. Leave it out."
        )


def _asked_pipelines(ctx: click.Context, given: dict[str, Any]) -> list[str]:
    """The pipelines of `--pipeline` or `--pipelines`; none for all of them."""
    from cifar_pipelines.families import require_pipelines

    if given["pipeline"] is not None and given["pipelines"]:
        raise UserError("--pipeline and --pipelines are both given. Give one of them; names are joined by commas.")
    names = given["pipelines"]
    if given["pipeline"] is not None:
        names = [name for name in map(str.strip, given["pipeline"].split(",")) if name]
    named = any(ctx.get_parameter_source(option).name == "COMMANDLINE" for option in ("pipeline", "pipelines"))
    if named and not names:
        raise UserError(
            "--pipelines names no pipeline. Name some, joined by commas, or leave it out to run all of them."
        )
    if names == ["__default__"]:
        return []
    require_pipelines(names)
    return list(dict.fromkeys(names))


def _checked_loader(given: dict[str, Any]) -> Any:
    """The configuration of the run, which is followed from here on; reads `--params` into what Kedro is given."""
    from cifar_pipelines.spark.environment import check_environment, checked_configuration, params_of

    env = given["env"] = given["env"] or os.environ.get("KEDRO_ENV") or None
    configuration.follow_folder(given["conf_source"])
    check_environment(env)
    study = given.pop("params_of")
    configuration.set_params_of(study)
    given["params"] = parse_params(params_of(study, given["params"]), env)
    loader = checked_configuration(env, given["params"])
    configuration.follow(loader)
    return loader


def _read_config(ctx: click.Context, option: click.Parameter, file: str | None) -> str | None:
    """Reads the file of `--config` as Kedro does."""
    from kedro.framework.cli.utils import _config_file_callback

    try:
        with configuration.unreadable_explained(file):
            return _config_file_callback(ctx, option, file)
    except (KeyError, TypeError, AttributeError) as error:
        rule = "but must hold the options of a run below `run`, such as run: {pipelines: ingestion}"
        raise UserError(f"{file} is given with --config, {rule}.") from error


def _options() -> list[click.Parameter]:
    """Kedro's own options, and ours."""
    params = ParamsOption(
        ["--params"], help="Parameters name=value, joined by commas; names in conf/base. Several are merged."
    )
    study = click.Option(
        ["--params-of"],
        help="An environment, such as animals, whose parameters come before those, under the setting of --env.",
    )
    only = click.Option(
        ["--only-what-is-there"],
        is_flag=True,
        help="Refuse to run where images or features are missing or stale, instead of making them first.",
    )
    config = click.Option(
        ["--config", "-c"],
        type=click.Path(exists=True, dir_okay=False, resolve_path=True),
        callback=_read_config,
        help="A YAML file with options of the run; those that are typed count before them.",
    )
    ours = {option.name: option for option in (params, config)}
    return [*(ours.get(option.name, option) for option in kedro_run.params), study, only]


run = Command(
    "run",
    callback=_run,
    params=_options(),
    help=(
        "Run pipelines, one after another on one Spark session.\n\nWhat they need and is missing or stale (images, features, "
        "for a comparison run records) is made first, with the same parameters and setting."
    ),
)
