"""What is looked at before a run: mistakes in its parameters, and tables that are missing, with what makes them."""

import importlib
from collections.abc import Iterable, Mapping
from contextlib import chdir
from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Any

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.validation import TypeExtractor

from cifar_pipelines.common.configuration import PROJECT_PATH, set_run_parameters
from cifar_pipelines.common.errors import UserError, unknown_name
from cifar_pipelines.common.options import build
from cifar_pipelines.common.params import command_to_run
from cifar_pipelines.common.places import place
from cifar_pipelines.families import INGESTION, families, families_of, pipeline_names, require_readable, unasked_names

if TYPE_CHECKING:
    from cifar_pipelines.spark.setting import ParallelismSetting

COMPARISON = "comparison"
FIRST_COMPARED = "spark_ml"  # the family that leaves records after the least work


def check_run(asked: list[str], loader: Any) -> dict[str, str]:
    """Finds mistakes in the setting and the parameters of a run before anything starts.

    Args:
        asked: Names of the pipelines; none for all of them.
        loader: The configuration of the run.

    Returns:
        The pipelines that have to run before those, in their order, each with the reason.

    Raises:
        UserError: For the first mistake.
    """
    from cifar_pipelines.pipelines.ingestion.validation import ValidationSpec, require_judged
    from cifar_pipelines.sources import open_source
    from cifar_pipelines.spark.environment import setting_under

    parameters = loader["parameters"]
    set_run_parameters(parameters)
    first = {}
    if asked:
        catalog = DataCatalog.from_config(loader["catalog"])
        with chdir(PROJECT_PATH):  # to which the paths of the catalog are relative, wherever the command is typed
            first = _needed_first(asked, catalog, parameters)
    chosen = (*first, *asked) if asked else unasked_names()
    running = [name for name in pipeline_names() if name != COMPARISON and name in chosen]
    if running:
        check_parameters(running, parameters, setting_under(loader.env, loader))
    if INGESTION in running:
        require_judged(parameters["subset"]["test_size"], ValidationSpec(**parameters["validation"]))
        open_source(*(parameters["data"][key] for key in ("source", "path", "options")))
    return first


def check_parameters(running: list[str], parameters: Mapping[str, Any], setting: "ParallelismSetting") -> None:
    """Finds mistakes in the parameters of pipelines under a setting.

    Raises:
        UserError: For the first mistake.
    """
    from cifar_pipelines.sources import find

    check_blocks({name: _pipeline(name) for name in running}, parameters)
    for family in families_of(running):
        family.check(parameters, setting)
        require_readable(family, parameters, find(parameters["data"]["source"]).content)


def check_parts(asked: list[str], loader: Any, parts: Mapping[str, Iterable[str]]) -> None:
    """Refuses what `--nodes`, `--tags` and their like name and the pipelines do not have.

    Args:
        asked: Names of the pipelines; none for all of them.
        loader: The configuration of the run.
        parts: What is named, by argument of Kedro's `Pipeline.filter`.

    Raises:
        UserError: For the first unknown name, or if no node is left.
    """
    set_run_parameters(loader["parameters"])
    whole = sum((_pipeline(name) for name in asked or unasked_names()), start=Pipeline([]))
    nodes = {node.name for node in whole.nodes}
    known = {
        "tags": ("tag", {tag for node in whole.nodes for tag in node.tags}),
        "node_namespaces": ("namespace", {space for node in whole.nodes for space in node.namespace_prefixes}),
        "from_inputs": ("dataset", whole.datasets()),
        "to_outputs": ("dataset", whole.datasets()),
    }
    for argument, names in parts.items():
        kind, there = known.get(argument, ("node", nodes))
        for name in names:
            if name not in there:
                raise unknown_name(kind, name, there, "`kedro registry describe <pipeline>` lists nodes.")
    try:
        whole.filter(**parts)
    except ValueError as error:
        raise UserError("No node of these pipelines fits all that is named. Leave out one of the options.") from error


def check_blocks(pipelines: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
    """Builds the blocks of parameters that nodes want typed; Kedro wraps what is wrong into sentences of its own."""
    for name, kind in TypeExtractor(dict(pipelines)).extract_types_from_pipelines().items():
        if is_dataclass(kind):
            build(kind, parameters[name], f"the block {name} of the parameters")


def check_inputs_exist(pipeline: Any, catalog: Any) -> None:
    """Raises if something that the pipeline reads and another pipeline makes is missing or incomplete.

    Raises:
        UserError: With the command that makes what is missing; or if nodes hand it over in memory that do not run.
    """
    if handed := sorted(name for name in pipeline.inputs() if name not in catalog and not name.startswith("param")):
        raise UserError(
            f"These nodes need what others hand over in memory: {', '.join(handed)}. Begin with the nodes that make it, or run the whole "
            "pipeline: what lies on the disk already is used as it is."
        )
    missing = [name for name in sorted(pipeline.inputs()) if name in catalog and not catalog.exists(name)]
    if not missing:
        return
    makers = {output: name for name in pipeline_names() for output in _pipeline(name).all_outputs()}
    if needed := {makers[name] for name in missing if name in makers}:
        missing = [name for name in missing if name in makers]
        raise has_to_run_first(needed, f"Missing or incomplete: {', '.join(missing)}, for these parameters")


def has_to_run_first(needed: Iterable[str], reason: str) -> UserError:
    """The error to raise where pipelines have to run first and were not asked for; the reason begins the message."""
    command = command_to_run(*sorted(needed, key=pipeline_names().index))
    return UserError(f"{reason}. This command makes what the run needs:\n\n    {command}\n")


def _needed_first(asked: list[str], catalog: Any, parameters: dict[str, Any]) -> dict[str, str]:
    """The pipelines that have to run before those that are asked for, in their order, each with the reason."""
    from cifar_pipelines.records.kept_tables import why_to_make
    from cifar_pipelines.records.shelf import RecordShelf

    needed: dict[str, str] = {}
    shelf = RecordShelf(PROJECT_PATH / place("run_records"))
    if COMPARISON in asked and not families_of(asked) and not shelf.loaders():
        # A report of nothing would help nobody, and what other pipelines need is made for them as well. It takes minutes.
        needed[FIRST_COMPARED] = "there is no run record to compare"
    readers = families_of([*asked, *needed])
    makers = {need for family in readers for need in _all_needs(family.name)}
    read = set().union(*(_pipeline(name).inputs() for name in {*makers, *(family.name for family in readers)}))
    anew: dict[str, str] = {}  # also those that are asked for: what is made from their tables is of no use any more
    for name in [name for name in pipeline_names() if name in makers]:
        before = next((need for need in _all_needs(name) if need in anew), None)
        tables = sorted(_pipeline(name).all_outputs() & read)
        reason = f"what {before} makes is new" if before else why_to_make(name, tables, catalog, parameters)
        if reason:
            anew[name] = reason
    needed = anew | needed
    return {name: needed[name] for name in pipeline_names() if name in needed and name not in asked}


def _all_needs(name: str) -> list[str]:
    """The pipelines that a family needs, and those that they need."""
    direct = families()[name].needs if name in families() else ()
    return list(dict.fromkeys(need for first in direct for need in (*_all_needs(first), first)))


def _pipeline(name: str) -> Any:
    return importlib.import_module(f"{__package__}.pipelines.{name}").create_pipeline()
