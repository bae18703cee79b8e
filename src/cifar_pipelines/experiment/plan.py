"""The steps of an experiment, in an order in which a noisy minute falls on no setting alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cifar_pipelines.common.configuration import conf_source_arguments, load_configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import ALL
from cifar_pipelines.common.params import params_text, parse_params, split_params
from cifar_pipelines.families import INGESTION, Family, families_of, family_names, is_on_request, words_for
from cifar_pipelines.records.digest import study_digest
from cifar_pipelines.spark.environment import checked_configuration, setting_under, settings_that_have_a_folder
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
        params_of: The environment that parameters come from before those; None for none.
    """

    setting: str
    pipelines: tuple[str, ...]
    params: str
    what: str
    repeat: int = 0
    params_of: str | None = None

    def arguments(self) -> list[str]:
        """Arguments of the kedro command."""
        given = ["--params", self.params] if self.params else []
        given += ["--params-of", self.params_of] if self.params_of else []
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
        params_of: The environment that some of these parameters come from; None for none.
    """

    settings: tuple[str, ...]
    pipelines: tuple[str, ...]
    repeats: int
    params_text: str
    once: tuple[str, ...] = ()
    params_of: str | None = None

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
            yield self.step(self.settings[0], (INGESTION,), "images", 0)
        measured = tuple(name for name in self.pipelines if name != INGESTION)
        for repeat in range(1, self.repeats + 1) if measured else []:
            for setting in self.settings:
                what = f"repeat {repeat} of {self.repeats}" if self.repeats > 1 else "measurement"
                yield self.step(setting, measured, what, repeat)
        for name in self.once:
            yield self.step(self.settings[-1], (name,), words_for(name))

    def step(self, setting: str, pipelines: tuple[str, ...], what: str, repeat: int = 1) -> Step:
        """A step with the parameters of this experiment."""
        return Step(setting, pipelines, self.params_text, what, repeat, self.params_of)


def with_params(text: str, values: dict[str, Any]) -> str:
    """Adds parameters to a text of `--params`; a name that is there already is replaced."""
    return params_text({name: value for name, value in split_params(text).items() if name not in values} | values)


def twice(train_size: int | str) -> int:
    """To how many training images a study grows by itself; 0, which is not at all, where it learns from all that there are."""
    return 0 if train_size == ALL else 2 * train_size


def about_report(params: str) -> str:
    """What a text of `--params` says of the report, such as who hands it in: all of it that a comparison depends on."""
    return ",".join(f"{name}={value}" for name, value in split_params(params).items() if name.startswith("report."))
