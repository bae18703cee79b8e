"""The whole experiment, from the first setting to the comparison."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from rich.console import Console

from cifar_pipelines.common import whole_files
from cifar_pipelines.common.configuration import PROJECT_PATH, load_configuration
from cifar_pipelines.common.places import place
from cifar_pipelines.common.words import counted
from cifar_pipelines.experiment.expected import ExpectedSeconds, seconds_before
from cifar_pipelines.experiment.findings import of_models
from cifar_pipelines.experiment.kept_images import STALE, KeptImages
from cifar_pipelines.experiment.plan import Experiment, Step, about_report, with_params
from cifar_pipelines.experiment.progress import Progress
from cifar_pipelines.experiment.runner import Outcome, StepRunner
from cifar_pipelines.families import INGESTION, Family
from cifar_pipelines.records.choice import Choice, best_setting
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.shelf import RecordShelf
from cifar_pipelines.scaling.forecast import Forecast, Target, comparable_records, compared, forecast_fit_time, store

Watch = Callable[[Progress], AbstractContextManager[object]]


class _Runs:
    """The runs of an experiment, with the records that are there of them.

    Attributes:
        expected: The digest of every model, by family and model.
        images: The images that are there.
        before: Where everything is measured anew, the most records that any model had under each setting; else nothing.
    """

    def __init__(self, experiment: Experiment, runner: StepRunner, shelf: RecordShelf, again: bool) -> None:
        self.experiment, self.runner, self.shelf, self.again = experiment, runner, shelf, again
        self.expected = experiment.expected()
        self.images = KeptImages(experiment.settings[0], experiment.params)
        self.before = {setting: self._most(setting) for setting in experiment.settings} if again else {}

    def matching(self, setting: str, family: str, model: str) -> list[RunRecord]:
        """The records of a model with exactly the configuration of the experiment, of the images that are there."""
        return self.shelf.matching(setting, family, model, self.expected[family][model], self.images.fingerprint)

    def say(self, text: str) -> None:
        """Says a sentence to whoever waits."""
        self.runner.progress.say(text)

    def _models_in_words(self, step: Step) -> str:
        """What the models of a step reached, each in its newest run."""
        models = [(family, model) for family in step.pipelines for model in self.expected.get(family, ())]
        return of_models([record for one in models for record in self.matching(step.setting, *one)[-1:]])

    def _new_models(self, step: Step) -> str:
        """What the models of a step that has just ended reached; what is expected changes with the stream that it lets land."""
        expected = self.experiment.expected()
        if expected != self.expected:
            self.expected = expected
            others = (setting for setting in self.before if setting != step.setting)
            self.before |= {setting: self._most(setting) for setting in others}
        return self._models_in_words(step)

    def _most(self, setting: str) -> int:
        """The most records that any model has under a setting."""
        models = ((family, model) for family, digests in self.expected.items() for model in digests)
        return max((len(self.matching(setting, *model)) for model in models), default=0)

    def images_are_there(self) -> bool:
        """Whether images need not be made; says why where those that are there are made anew."""
        if self.images.fingerprint == STALE:
            self.say(f"Images are made anew: {self.images.why_stale}.")
        return not self.again and self.images.are_whole

    def do(self, step: Step, first: tuple[str, ...] = ()) -> None:
        """Runs the part of a step that is not recorded yet, after the pipelines that have to come first."""
        if step.pipelines == (INGESTION,):
            if self.images_are_there():
                self.runner.skip(step, "the images are there")
            else:
                self.runner.run(step, self.images.in_words)
                self.images.look()
            return
        wanted = step.repeat + self.before.get(step.setting, 0)
        if missing := self.shelf.missing(step.setting, self.expected, step.pipelines, wanted, self.images.fingerprint):
            self.runner.run(replace(step, pipelines=(*first, *missing)), lambda: self._new_models(step))
            self.images.look()
        else:
            self.runner.skip(step, "recorded already")


def run_experiment(
    experiment: Experiment,
    grow_to: int | None,
    again: bool,
    console: Console,
    seconds: Mapping[str, float] = MappingProxyType({}),
    watch: Watch = nullcontext,
) -> tuple[list[Outcome], Choice | None]:
    """Runs what is not recorded yet, goes on after a failure, and compares.

    Args:
        experiment: What is asked for; checked.
        grow_to: Training images for the run with the best setting; None for no such run.
        again: Whether to run what is recorded already.
        console: Where to report.
        seconds: What steps take somewhere, see `ExpectedSeconds`; here they may take other times.
        watch: Called with the progress before the first step: a context that ends with the last one.

    Returns:
        What became of every step, and the choice of the best setting, if one could be made.
    """
    name = datetime.now(UTC).strftime("%Y-%m-%dT%H.%M.%SZ")
    folder = PROJECT_PATH / place("experiments")
    steps = list(experiment.steps())
    growing = next((family for family in experiment.families if family.only), None) if grow_to else None
    larger = [Step("best setting", (growing.name,), "", counted(grow_to, "image"), 1)] if growing else []
    report = Step(experiment.settings[0], ("comparison",), about_report(experiment.params_text), "report")
    expected = ExpectedSeconds(seconds, seconds_before(folder, experiment.params))
    progress = Progress(console, [*steps, *larger, report], expected)
    runner = StepRunner(PROJECT_PATH, PROJECT_PATH / "logs" / f"experiment-{name}", progress)
    runs = _Runs(experiment, runner, RecordShelf(PROJECT_PATH / place("run_records")), again)
    choice, summary = None, folder / f"{name}.json"
    with watch(progress):
        for step in steps:
            runs.do(step)
        if growing is not None:
            choice = _choose_and_grow(runs, growing, grow_to, larger[0])
        _write_summary(summary, experiment, runner.outcomes, choice, grow_to)  # the comparison shows the choice
        runner.run(report)
        _write_summary(summary, experiment, runner.outcomes, choice, grow_to)
    return runner.outcomes, choice


def _choose_and_grow(runs: _Runs, growing: Family, grow_to: int, planned: Step) -> Choice | None:
    """Chooses the setting that is best for the first model of a family, and trains it on more images with it."""
    model = next(iter(runs.expected[growing.name]))
    settings = runs.experiment.settings
    choice = best_setting({setting: runs.matching(setting, growing.name, model) for setting in settings})
    if choice is None:
        runs.runner.skip(planned, f"{model} was measured under no setting, so none is the best for it")
    else:
        runs.say(f"Best setting for {model}: {choice.reason}")
        there = runs.images.train_available
        if there is not None and there < grow_to:
            runs.say(f"The source has {there:,} training images, so {model} learns from these instead of {grow_to:,}.")
            grow_to = there
        _grow(runs, growing, model, choice.best.setting, grow_to)
    return choice


def _grow(runs: _Runs, family: Family, model: str, setting: str, train_size: int) -> None:
    """Trains one model on more images, with exactly the best setting, after its fit time was predicted."""
    experiment = runs.experiment
    parameters = load_configuration(setting, experiment.params)["parameters"]
    text = with_params(experiment.params_text, {"train_size": train_size} | family.only(parameters, model))
    grown = Experiment((setting,), (family.name,), 1, text, params_of=experiment.params_of)
    larger = _Runs(grown, runs.runner, runs.shelf, runs.again)
    target = Target(setting, family.name, model, train_size, larger.expected[family.name][model])
    recorded = len(larger.matching(setting, family.name, model))
    forecast = _forecast(runs, target) if runs.again or not recorded else None
    images_are_there = larger.images_are_there()
    first = tuple(name for name in family.needs if not (name == INGESTION and images_are_there))
    larger.do(grown.step(setting, (family.name,), counted(train_size, "image")), first)
    if forecast is not None:
        for record in larger.matching(setting, family.name, model)[recorded:]:
            fitted = compared(forecast, record.timings.fit_s[0])
            runs.say(f"{model} on {counted(train_size, 'image')}: {fitted}")


def _forecast(runs: _Runs, target: Target) -> Forecast | None:
    """Forecasts the fit time of a run that is still to come, stores the forecast and says it."""
    experiment = runs.experiment
    records = comparable_records(runs.shelf, experiment.settings, experiment.params, target)
    forecast = forecast_fit_time(records, target)
    what = f"fit time of {target.model} under {target.setting} on {counted(target.train_size, 'image')}"
    if forecast is None:
        said = f"No forecast of the {what}: no complete record of fewer or more images is there."
    else:
        store(forecast, target, PROJECT_PATH / place("fit_forecasts"))
        said = f"Predicted {what}: {forecast}."
    runs.say(said)
    return forecast


def _write_summary(
    file: Path, experiment: Experiment, outcomes: list[Outcome], choice: Choice | None, grow_to: int | None
) -> None:
    content = {
        "settings": experiment.settings,
        "pipelines": experiment.pipelines,
        "once": experiment.once,
        "repeats": experiment.repeats,
        "params": experiment.params,
        "grow_to": grow_to,
        "choice": asdict(choice) if choice else None,
        "steps": [asdict(outcome) for outcome in outcomes],
    }
    whole_files.write_json(file, content, indent=2, default=str)
