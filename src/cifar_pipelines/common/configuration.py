"""The configuration folder: how it is loaded, and which environments and parameters are legal."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from cifar_pipelines.common.errors import UserError, unknown_name
from cifar_pipelines.common.resolvers import PROJECT_PATH, RESOLVERS

CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "merge_strategy": {"parameters": "soft", "globals": "soft", "spark": "soft"},
    "config_patterns": {"spark": ["spark*", "spark*/**"]},
    "custom_resolvers": RESOLVERS,
}
# Blocks that take any name, which their owner checks: a source, an extractor, a classifier, a network.
OPEN_BLOCKS = ("source_options", "features.options", "*.*.*.options", "*.*.*.params")

_of_run: dict[str, Any] | None = None


def set_run_parameters(parameters: Mapping[str, Any] | None) -> None:
    """Says with which parameters pipelines are built; None forgets them.

    Kedro builds pipelines without telling them of parameters, and the shape of some depends on them. Only the hook that
    sees a run begin and end calls this.
    """
    global _of_run
    _of_run = None if parameters is None else dict(parameters)


def run_parameters() -> dict[str, Any]:
    """The parameters of the run that is under way, or those of the configuration folder where there is none."""
    return _of_run if _of_run is not None else load_configuration()["parameters"]


def load_configuration(env: str | None = None, runtime_params: dict[str, Any] | None = None) -> Any:
    """A Kedro configuration loader over `conf/`, as a run would have it; no environment means Kedro's default."""
    from kedro.config import OmegaConfigLoader

    return OmegaConfigLoader(str(PROJECT_PATH / "conf"), env=env, runtime_params=runtime_params, **CONFIG_LOADER_ARGS)


def selected_names(key: str, value: object, example: str) -> list[str]:
    """The names that the parameter `key` holds: a list, or names joined by "+" as on the command line.

    Raises:
        UserError: If there is no name, or one is there twice; it shows the `example`.
    """
    names = value.split("+") if isinstance(value, str) else list(value or [])
    if not names or len(set(names)) < len(names):
        raise UserError(f"{key} is {value!r}, but must hold at least one name, each once, such as {example}.")
    return names


def check_environment(env: str | None) -> None:
    """Raises a `UserError` with the nearest environments if this one has no folder."""
    known = [path.name for path in (PROJECT_PATH / "conf").iterdir() if path.is_dir()]
    if env is not None and env not in known:
        remedy = "`kedro settings` lists them; a new one is a folder in conf/ with a globals.yml."
        raise unknown_name("environment", env, known, remedy)


def checked_configuration(env: str | None, runtime_params: dict[str, Any]) -> Any:
    """As `load_configuration`, for a run that is still to come, once environment and parameters are checked.

    Raises:
        UserError: If the environment or a parameter is unknown.
    """
    check_environment(env)
    loader = load_configuration(env, runtime_params)
    check_runtime_params(runtime_params, loader)
    return loader


def check_runtime_params(runtime_params: Mapping[str, Any], loader: Any) -> None:
    """Refuses nested names from `--params` that nothing reads in the configuration of the run.

    Raises:
        UserError: For the first unknown name, with the nearest known ones.
    """
    shortcuts = {key for key in loader["globals"] if key not in ("parallelism", "budget")}
    known = shortcuts | {path for path, _ in _paths(load_configuration(loader.env)["parameters"])}
    for path, value in _paths(runtime_params):
        leaf = not (isinstance(value, Mapping) and value)
        if leaf and path not in known and not any(fnmatchcase(path, f"{block}.*") for block in OPEN_BLOCKS):
            remedy = "See conf/base/globals.yml and parameters_*.yml for all of them."
            raise unknown_name("parameter", path, known, remedy)


def parse_params(text: str) -> dict[str, Any]:
    """Reads a text of `--params` as Kedro does: names with dots become blocks.

    Raises:
        UserError: If a part is not name=value.
    """
    from omegaconf import OmegaConf

    parts = split_params(text)
    if bad := [part for part in parts if "=" not in part]:
        raise UserError(f"--params holds {bad[0]!r}, but every part must be name=value.")
    return OmegaConf.to_container(OmegaConf.from_dotlist(parts))


def split_params(text: str) -> list[str]:
    """The parts of a text of `--params`, each name=value."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _paths(block: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The names at all levels, joined by dots, each with its value."""
    for key, value in block.items():
        yield f"{prefix}{key}", value
        if isinstance(value, Mapping):
            yield from _paths(value, f"{prefix}{key}.")
