"""The steps of an experiment, in an order in which a noisy minute falls on no setting alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cifar_pipelines.common.configuration import (
    checked_configuration,
    load_configuration,
    parse_params,
    remember,
    selected_classifiers,
    selected_cnns,
    split_params,
)
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.records.digest import BIGDL_CNN, FEATURES, SPARK_ML, study_digest
from cifar_pipelines.spark.setting import setting_of

# What an experiment can run under a setting; the comparison comes once, at the end.
PIPELINES = ("ingestion", FEATURES, SPARK_ML, BIGDL_CNN)


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
        return ["run", "--pipelines", ",".join(self.pipelines), "--env", self.setting, *given]


@dataclass(frozen=True)
class Experiment:
    """What is asked for.

    Attributes:
        settings: Names of the environments.
        pipelines: The pipelines, in order.
        repeats: How often every pipeline runs under every setting.
        params_text: What is given with `--params`, as it is typed.
    """

    settings: tuple[str, ...]
    pipelines: tuple[str, ...]
    repeats: int
    params_text: str

    def __post_init__(self) -> None:
        if self.repeats < 1:
            raise UserError(f"--repeats is {self.repeats}, but must be at least 1.")
        for name in self.pipelines:
            if name not in PIPELINES:
                raise UserError(
                    f"An experiment cannot run the pipeline {name!r}: it runs {', '.join(PIPELINES)}, and the comparison "
                    "at its end."
                )
        if len(set(self.settings)) < len(self.settings) or not self.settings:
            raise UserError(f"--settings is {','.join(self.settings)!r}, but must name settings, each once.")

    @property
    def params(self) -> dict[str, Any]:
        """The parameters as Kedro reads them: names with dots become blocks."""
        return parse_params(self.params_text)

    def check(self) -> None:
        """Checks settings, parameters and selections, before the first step.

        Raises:
            UserError: As one of the runs would, hours later.
        """
        for setting in self.settings:
            setting_of(checked_configuration(setting, self.params))
        self.expected()

    def expected(self) -> dict[str, dict[str, str]]:
        """What run records the pipelines leave: the digest of every model, by pipeline and model.

        Raises:
            UserError: If a selected model is unknown or set up wrongly.
        """
        loader = load_configuration(self.settings[0], self.params)
        parameters, master = loader["parameters"], loader["spark"]["master"]
        remember(parameters)
        models = {FEATURES: [parameters["features"]["extractor"]]}
        if SPARK_ML in self.pipelines:
            models[SPARK_ML] = selected_classifiers()
        if BIGDL_CNN in self.pipelines:
            models[BIGDL_CNN] = [f"{network}_{engine}" for network, engine in selected_cnns()]
            self._check_cnns(parameters["bigdl_cnn"])
        return {
            pipeline: {model: study_digest(parameters, pipeline, model, master) for model in models[pipeline]}
            for pipeline in self.pipelines
            if pipeline in models
        }

    def _check_cnns(self, block: dict[str, Any]) -> None:
        from cifar_pipelines.pipelines.bigdl_cnn.specification import specify_cnn

        for network, engine in selected_cnns():
            specify_cnn(network, engine, block)

    def steps(self) -> Iterator[Step]:
        """The steps: images once, then every setting in turn, as often as there are repeats."""
        if "ingestion" in self.pipelines:
            yield Step(self.settings[0], ("ingestion",), self.params_text, "images")
        measured = tuple(name for name in self.pipelines if name != "ingestion")
        for repeat in range(1, self.repeats + 1) if measured else []:
            for setting in self.settings:
                what = f"repeat {repeat} of {self.repeats}" if self.repeats > 1 else "measurement"
                yield Step(setting, measured, self.params_text, what, repeat)


def with_params(text: str, values: dict[str, Any]) -> str:
    """Adds parameters to a text of `--params`; a name that is there already is replaced."""
    kept = [part for part in split_params(text) if part.partition("=")[0] not in values]
    return ",".join([*kept, *(f"{name}={value}" for name, value in values.items())])
