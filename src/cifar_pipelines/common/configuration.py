"""The configuration folder: how it is loaded, and which parameters are legal."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
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
# Blocks to which the files of an environment, but not --params, may add: whole models, reasons, options of variants.
BLOCKS_OF_NAMES = ("*.models", "*.classifiers", "report.reasons", "deployment.options")
NO_PARAMETERS = ("parallelism", "budget")  # blocks of globals.yml that belong to the environment

_of_run: dict[str, Any] | None = None
_params_of: str | None = None  # the environment that parameters of the run come from beside its own
_followed: Any = None  # the loader of the command that is under way


def set_run_parameters(parameters: Mapping[str, Any] | None) -> None:
    """Says with which parameters pipelines are built; None forgets them.

    Kedro builds pipelines without telling them of parameters, and the shape of some depends on them. Only the hook that
    sees a run begin and end calls this, and the command that looks at the pipelines before.
    """
    global _of_run
    _of_run = None if parameters is None else dict(parameters)


def run_parameters() -> dict[str, Any]:
    """The parameters of the run that is under way, or those of the configuration folder where there is none."""
    return _of_run if _of_run is not None else load_configuration()["parameters"]


def set_params_of(environment: str | None) -> None:
    """Says which environment `--params-of` named; None for none."""
    global _params_of
    _params_of = environment


def params_of() -> str | None:
    """The environment that `--params-of` named; None where it was not given."""
    return _params_of


def follow(loader: Any) -> None:
    """Says which configuration a command was given, so that all it reads comes from there; None forgets it."""
    global _followed
    _followed = loader


def followed() -> Any:
    """The loader of the command that is under way; None where there is none."""
    return _followed


def conf_source() -> Path:
    """The configuration folder: that of `--conf-source`, or the project's own."""
    return Path(_followed.conf_source) if _followed is not None else PROJECT_PATH / "conf"


def follow_folder(folder: str | None) -> None:
    """Follows the configuration of `--conf-source`; None is the project's own.

    Raises:
        UserError: If it is no such folder.
    """
    source = Path(folder).absolute() if folder else None
    if source is not None and not (source / CONFIG_LOADER_ARGS["base_env"]).is_dir():
        raise UserError(f"--conf-source is {folder!r}, but must be a folder with a folder base in it: a copy of conf/.")
    follow(load_configuration(source=source))


def conf_source_arguments() -> list[str]:
    """The arguments by which a further command reads the same configuration; none for the project's own."""
    own = PROJECT_PATH / "conf"
    return [] if conf_source() == own else ["--conf-source", str(conf_source())]


def load_configuration(
    env: str | None = None, runtime_params: dict[str, Any] | None = None, source: Path | None = None
) -> Any:
    """A Kedro configuration loader, as a run would have it.

    Args:
        env: The environment; None is Kedro's default.
        runtime_params: What is given with `--params`.
        source: The folder; None takes that of `conf_source`.
    """
    from cifar_pipelines.common.config_loader import ConfigLoader

    folder = str(source or conf_source())
    with unreadable_explained(folder):
        return ConfigLoader(folder, env=env, runtime_params=runtime_params, **CONFIG_LOADER_ARGS)


@contextmanager
def unreadable_explained(folder: object) -> Iterator[None]:
    """Turns what goes wrong while files of the configuration are read into a sentence."""
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        yield
    except (YAMLError, OmegaConfBaseException, ValueError) as error:
        if isinstance(error, UserError):
            raise
        said = " ".join(str(error).split())
        raise UserError(f"The configuration in {folder} cannot be read: {said}. Correct that file.") from error


def selected_names(key: str, value: object, example: str) -> list[str]:
    """The names that the parameter `key` holds: a list, or names joined by "+" as on the command line.

    Raises:
        UserError: If there is no name, or one is there twice; it shows the `example`.
    """
    names = value.split("+") if isinstance(value, str) else list(value or [])
    if not names or len(set(names)) < len(names) or not all(str(name).strip() for name in names):
        raise UserError(f"{key} is {value!r}, but must hold at least one name, each once, such as {example}.")
    return names


@dataclass(frozen=True)
class Names:
    """The names that `--params` may hold.

    Attributes:
        values: Every name with its value in the configuration, blocks as well.
        repeats: Names in the parameters that only repeat one of globals.yml, with that one.
        files: The outermost names by the files that they stand in, `globals` and `parameters`.
    """

    values: Mapping[str, Any]
    repeats: Mapping[str, str]
    files: Mapping[str, frozenset[str]]


def names_of_parameters(env: str | None = None) -> Names:
    """What the configuration folder says of names; read once."""
    return _names_of_parameters(conf_source(), env)


@cache
def _names_of_parameters(source: Path, env: str | None) -> Names:
    loader = load_configuration(env, source=source)
    short = {name: value for name, value in loader["globals"].items() if name not in NO_PARAMETERS}
    marks = {f"<{name}>": name for name in short}
    marked = load_configuration(env, {name: mark for mark, name in marks.items()}, source)["parameters"]
    repeats = {
        path: marks[value]
        for path, value in _paths(marked)
        if path not in short and isinstance(value, str) and value in marks
    }
    own = {path: value for path, value in _paths(loader["parameters"]) if not _lies_in(path, repeats)}
    files = {file: frozenset(loader[file]) for file in ("globals", "parameters")}
    return Names(dict(_paths(short)) | own, repeats, files)


def check_runtime_params(runtime_params: Mapping[str, Any], loader: Any) -> None:
    """Refuses names that nothing reads, of `--params` and of the run's environment, and second names of another.

    Raises:
        UserError: For the first such name, with the right one or the nearest known ones.
    """
    names, plain = names_of_parameters(loader.env), names_of_parameters("base")
    _check_environment(names, plain, f"conf/{loader.env or CONFIG_LOADER_ARGS['default_run_env']}")
    for path, value in _paths(runtime_params):
        if isinstance(value, Mapping) and value:
            continue
        if within := _lies_in(path, names.repeats):
            right = names.repeats[within] + path.removeprefix(within)
            raise UserError(f"{path} is no name of its own. Give {right} instead: it is the one name of this value.")
        if path not in names.values and not _may_be_new(path, OPEN_BLOCKS):
            remedy = "See conf/base/globals.yml and parameters_*.yml for all of them."
            raise unknown_name("parameter", path, names.values, remedy)


def _check_environment(names: Names, plain: Names, where: str) -> None:
    """Refuses what the files of an environment, in the folder `where`, name otherwise than those of conf/base, `plain`, do."""
    for file, other in (("parameters", "globals"), ("globals", "parameters")):
        for name in sorted((names.files[file] - plain.files[file]) & plain.files[other]):
            raise UserError(
                f"{name} stands in {where}/{file}*.yml, where nothing reads it: it is a name of {other}*.yml. Move it into "
                f"{where}/{other}.yml."
            )
    for path, short in plain.repeats.items():
        if path not in names.repeats:
            raise UserError(
                f"{where} gives {path} a value of its own, but it is called {short} everywhere: the paths of all results "
                f"name that. Set {short} in {where}/globals.yml instead."
            )
    for path in names.values:
        if path not in plain.values and not _may_be_new(path, (*OPEN_BLOCKS, *BLOCKS_OF_NAMES)):
            remedy = f"It stands in {where}, where nothing reads it; one of your own has a value in conf/base too."
            raise unknown_name("parameter", path, plain.values, remedy)


def _may_be_new(path: str, blocks: Iterable[str]) -> bool:
    """Whether a path lies in a block of names that their owner checks."""
    return any(fnmatchcase(path, f"{block}.*") for block in blocks)


def _lies_in(path: str, blocks: Mapping[str, Any]) -> str | None:
    """The block that a path is or lies in, if there is one."""
    return next((block for block in blocks if path == block or path.startswith(f"{block}.")), None)


def _paths(block: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The names at all levels, joined by dots, each with its value."""
    for key, value in block.items():
        yield f"{prefix}{key}", value
        if isinstance(value, Mapping):
            yield from _paths(value, f"{prefix}{key}.")
