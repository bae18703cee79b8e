"""Environments: folders of the configuration. One that holds a parallelism setting carries its name, `exec_<M>x<C>`.

Two memories for the same cores are two settings where the name ends with the memory, `exec_<M>x<C>_<memory>`.
"""

import re
from collections.abc import Mapping
from typing import Any

from cifar_pipelines.common.configuration import (
    PROJECT_PATH,
    check_runtime_params,
    conf_source,
    load_configuration,
    unreadable_explained,
)
from cifar_pipelines.common.errors import UserError, unknown_name
from cifar_pipelines.common.options import flatten
from cifar_pipelines.common.params import params_text, split_params
from cifar_pipelines.common.whole_files import PARTIAL
from cifar_pipelines.spark.setting import (
    MINIMUM_EXECUTOR_MEMORY_MB,
    ParallelismSetting,
    format_memory,
    setting_name,
    setting_of,
)

_SETTING = re.compile(r"exec_([1-9]\d*)x([1-9]\d*)(?:_([1-9]\d*[mgt]))?")


def check_environment(env: str | None) -> None:
    """Refuses an environment that has no folder.

    Raises:
        UserError: With the rule that it breaks if it is called like a setting, else with the nearest environments; or if
            nothing at all can run where the project lies.
    """
    if set("{}") & set(str(PROJECT_PATH)):
        raise UserError(
            f"The project lies in {PROJECT_PATH}, but Kedro's catalog takes {{ and }} in a path for places to fill in. Rename that "
            "folder."
        )
    if not conf_source().is_dir():
        raise UserError(
            f"The configuration folder {conf_source()} is no folder. Give a copy of conf/ with --conf-source."
        )
    known = [path.name for path in conf_source().iterdir() if path.is_dir() and path.suffix != PARTIAL]
    if env is None or env in known:
        return
    remedy = "`kedro settings` lists them; a new one is a folder in conf/ with a globals.yml."
    if shape := _SETTING.fullmatch(env):
        cores_max, executor_cores = map(int, shape.groups()[:2])
        memory = shape[3] or format_memory(MINIMUM_EXECUTOR_MEMORY_MB)
        block = {"cores_max": cores_max, "executor_cores": executor_cores, "executor_memory": memory}
        ParallelismSetting.from_config(block, load_configuration()["globals"].get("budget"))
        remedy = f"It is a legal setting without a folder: `kedro plan --write {env}` makes it."
    raise unknown_name("environment", env, known, remedy)


def setting_under(env: str | None, loader: Any) -> ParallelismSetting:
    """The setting of a configuration that was loaded under an environment.

    Raises:
        UserError: If it is illegal, or the environment is called like another setting.
    """
    setting = setting_of(loader)
    if env is not None and _SETTING.fullmatch(env) and env != setting.name:
        raise UserError(
            f"The environment {env} holds the setting {setting.name}. Name the folder conf/{setting.name}, or correct "
            f"conf/{env}/globals.yml; a second memory for the same cores is written by `kedro plan --write "
            f"{setting_name(setting.cores_max, setting.executor_cores)}_{setting.executor_memory}`."
        )
    return setting


def settings_that_have_a_folder() -> list[tuple[str, ParallelismSetting | UserError]]:
    """The environments called like a setting, smallest first, each with the setting or with what is wrong with it."""
    legal: list[tuple[str, ParallelismSetting]] = []
    wrong: list[tuple[str, UserError]] = []
    folders = (path.name for path in conf_source().iterdir() if path.is_dir() and _SETTING.fullmatch(path.name))
    for name in sorted(folders):
        try:
            legal.append((name, setting_under(name, load_configuration(name))))
        except UserError as error:
            wrong.append((name, error))
    return [*sorted(legal, key=lambda row: (row[1].cores_max, row[1].executor_cores, row[0])), *wrong]


def checked_configuration(env: str | None, runtime_params: dict[str, Any]) -> Any:
    """As `load_configuration`, for a run that is still to come, once environment and parameters are checked.

    Raises:
        UserError: If the environment or a parameter is unknown.
    """
    check_environment(env)
    loader = load_configuration(env, runtime_params)
    with unreadable_explained(conf_source()):
        for part in ("parameters", "spark", "catalog"):
            loader[part]
    check_runtime_params(runtime_params, loader)
    return loader


def params_of(environment: str | None, given_text: str) -> str:
    """What an environment says of the parameters, as a text of `--params` with what is given there after it.

    Args:
        environment: Name of the environment; its parallelism setting is left out. None adds nothing to what is given.
        given_text: What is given with `--params`; it prevails.

    Raises:
        UserError: If there is no such environment, its files cannot be read, or one of its values cannot stand in a text.
    """
    from omegaconf import OmegaConf

    if not environment:
        return given_text
    check_environment(environment)
    folder = conf_source() / environment
    files = [*folder.glob("globals*.yml"), *folder.glob("parameters*.yml")]
    with unreadable_explained(folder):
        block = OmegaConf.to_container(OmegaConf.merge({}, *map(OmegaConf.load, files)))
    given = split_params(given_text)
    said = {
        name: value
        for name, value in flatten(block).items()
        if name not in given and not name.startswith("parallelism.")
    }
    for name, value in said.items():
        _require_typable(environment, name, value)
    return params_text(said | given)


def _require_typable(environment: str, name: str, value: Any) -> None:
    """Refuses a value of an environment that a text of `--params` cannot hold."""
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, list | Mapping) or "," in str(one):
            what = "a block within a list" if isinstance(one, list | Mapping) else "a text with a comma"
            raise UserError(
                f"{name} of the environment {environment} holds {what}, which --params-of cannot hand on to runs under other settings. "
                f"Run it under its own setting, kedro run --env {environment}, or move that block to conf/base."
            )
