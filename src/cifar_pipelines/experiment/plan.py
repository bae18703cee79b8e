"""The steps of an experiment, in an order in which a noisy minute falls on no setting alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cifar_pipelines.common.configuration import (
    conf_source,
    conf_source_arguments,
    load_configuration,
    unreadable_explained,
)
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import ALL, flatten
from cifar_pipelines.common.params import params_text, parse_params, split_params
from cifar_pipelines.families import INGESTION, Family, families_of, family_names, is_on_request, words_for
from cifar_pipelines.records.digest import study_digest
from cifar_pipelines.spark.environment import (
    check_environment,
    checked_configuration,
    setting_under,
    settings_that_have_a_folder,
)
from cifar_pipelines.spark.setting import host_cores, suited_shapes


def known_pipelines() -> tuple[str, ...]:
    """What an experiment can run under a setting; the comparison comes once, at the end."""
    return (INGESTION, *family_names())


def default_pipelines() -> tuple[str, ...]:
    """What an experiment runs where none are named."""
    return tuple(name for name in known_pipelines() if not is_on_request(name))


def suited_settings() -> tuple[str, ...]:
    """Names of three legal settings that suit this host."""
    legal = [setting for _, setting in settings_that_have_a_folder() if not isinstance(setting, UserError)]
    legal = [setting for setting in legal if not setting.named_after_memory]
    legal = {(setting.cores_max, setting.executor_cores): setting.name for setting in legal}
    return tuple(legal[shape] for shape in suited_shapes(host_cores(), list(legal)))


@dataclass(frozen=True)
class Step:
    """One run in a process of its own.

    Attributes:
        setting: Name of the environment.
        pipelines: The pipelines to run.
        params: What is given with `--params`, as one text; may be empty.
        what: What the step is for, in words.
        repeat: Number of the repeat, from 1; 0 for a step that is done once.
    """

    setting: str
    pipelines: tuple[str, ...]
    params: str
    what: str
    repeat: int = 0

    def arguments(self) -> list[str]:
        """Arguments of the kedro command."""
        given = ["--params", self.params] if self.params else []
        return ["run", "--pipelines", ",".join(self.pipelines), "--env", self.setting, *given, *conf_source_arguments()]


@dataclass(frozen=True)
class Experiment:
    """What is asked for.

    Attributes:
        settings: Names of the environments.
        pipelines: The pipelines, in order.
        repeats: How often every pipeline runs under every setting.
        params_text: What is given with `--params`, as it is typed.
        once: Pipelines that run once, under the last setting, each as a step of its own.
    """

    settings: tuple[str, ...]
    pipelines: tuple[str, ...]
    repeats: int
    params_text: str
    once: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.repeats < 1:
            raise UserError(f"--repeats is {self.repeats}, but must be at least 1.")
        if twice := [name for name in self.once if name in self.pipelines or name == INGESTION]:
            raise UserError(
                f"--once names {', '.join(twice)}, but what runs under every setting, and the images, need not be named there."
            )
        for name in (*self.pipelines, *self.once):
            if name not in known_pipelines():
                raise UserError(
                    f"An experiment cannot run the pipeline {name!r}: it runs {', '.join(known_pipelines())}, and the comparison "
                    "at its end."
                )
        if len(set(self.settings)) < len(self.settings) or not self.settings:
            raise UserError(f"--settings is {','.join(self.settings)!r}, but must name settings, each once.")

    @cached_property
    def params(self) -> dict[str, Any]:
        """The parameters as Kedro reads them: names with dots become blocks."""
        return parse_params(self.params_text)

    @property
    def families(self) -> list[Family]:
        """The families among the pipelines."""
        return families_of((*self.pipelines, *self.once))

    def check(self) -> None:
        """Checks settings, parameters and models, before the first step.

        Raises:
            UserError: As one of the runs would, hours later.
        """
        for name in self.settings:
            loader = checked_configuration(name, self.params)
            setting, parameters = setting_under(name, loader), loader["parameters"]  # which reads the files
            for family in self.families:
                family.check(parameters, setting)

    def expected(self) -> dict[str, dict[str, str]]:
        """What run records the pipelines leave: the digest of every model, by family and model.

        Raises:
            UserError: If a selected model is unknown.
        """
        loader = load_configuration(self.settings[0], self.params)
        parameters, master = loader["parameters"], loader["spark"]["master"]
        return {
            family.name: {
                model: study_digest(parameters, family.name, model, master) for model in family.models(parameters)
            }
            for family in self.families
        }

    def steps(self) -> Iterator[Step]:
        """The steps: images once, then every setting in turn, as often as there are repeats, then what runs once."""
        if INGESTION in self.pipelines:
            yield Step(self.settings[0], (INGESTION,), self.params_text, "images")
        measured = tuple(name for name in self.pipelines if name != INGESTION)
        for repeat in range(1, self.repeats + 1) if measured else []:
            for setting in self.settings:
                what = f"repeat {repeat} of {self.repeats}" if self.repeats > 1 else "measurement"
                yield Step(setting, measured, self.params_text, what, repeat)
        for name in self.once:
            yield Step(self.settings[-1], (name,), self.params_text, words_for(name), 1)


def with_params(text: str, values: dict[str, Any]) -> str:
    """Adds parameters to a text of `--params`; a name that is there already is replaced."""
    return params_text({name: value for name, value in split_params(text).items() if name not in values} | values)


def params_of(environment: str, given_text: str) -> str:
    """What an environment says of the parameters, as a text of `--params` with what is given there after it.

    Args:
        environment: Name of the environment; its parallelism setting is left out.
        given_text: What is given with `--params`; it prevails.

    Raises:
        UserError: If there is no such environment, its files cannot be read, or one of its values cannot stand in a text.
    """
    from omegaconf import OmegaConf

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


def twice(train_size: int | str) -> int:
    """To how many training images a study grows by itself; 0, which is not at all, where it learns from all that there are."""
    return 0 if train_size == ALL else 2 * train_size


def about_report(params: str) -> str:
    """What a text of `--params` says of the report, such as who hands it in: all of it that a comparison depends on."""
    return ",".join(f"{name}={value}" for name, value in split_params(params).items() if name.startswith("report."))
