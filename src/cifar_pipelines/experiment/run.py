"""The whole experiment, from the first setting to the comparison."""

from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rich.console import Console

from cifar_pipelines.common import whole_files
from cifar_pipelines.common.configuration import PROJECT_PATH, load_configuration
from cifar_pipelines.common.places import place
from cifar_pipelines.experiment.plan import Experiment, Step, with_params
from cifar_pipelines.experiment.runner import Outcome, StepRunner
from cifar_pipelines.families import INGESTION, Family
from cifar_pipelines.records.choice import Choice, best_setting
from cifar_pipelines.records.shelf import RecordShelf
from cifar_pipelines.scaling.forecast import Forecast, Target, comparable_records, compared, forecast, store


def run_experiment(
    experiment: Experiment, grow_to: int | None, again: bool, console: Console
) -> tuple[list[Outcome], Choice | None]:
    """Runs what is not recorded yet, goes on after a failure, and compares.

    Args:
        experiment: What is asked for; checked.
        grow_to: Training images for the run with the best setting; None for no such run.
        again: Whether to run what is recorded already.
        console: Where to report.

    Returns:
        What became of every step, and the choice of the best setting, if one could be made.
    """
    name = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H.%M.%SZ")
    shelf = RecordShelf(PROJECT_PATH / place("run_records"))
    steps = list(experiment.steps())
    growing = next((family for family in experiment.families if family.only), None) if grow_to else None
    total = len(steps) + (growing is not None) + 1
    runner = StepRunner(PROJECT_PATH, PROJECT_PATH / "logs" / f"experiment-{name}", console, total)
    expected = experiment.expected()
    before = _counts(shelf, expected, experiment.settings) if again else {}
    for step in steps:
        _do(step, runner, shelf, expected, experiment.params, before)
    choice = None
    if growing is not None:
        model, digest = next(iter(expected[growing.name].items()))
        choice = best_setting(
            {setting: shelf.matching(setting, growing.name, model, digest) for setting in experiment.settings}
        )
        if choice is None:
            console.print(
                f"No best setting: {model} was measured under none of them, so it is not trained on more images."
            )
        else:
            console.print(f"Best setting for {model}: {choice.reason}", soft_wrap=True)
            _grow(experiment, growing, model, choice.best.setting, grow_to, runner, shelf, again)
    summary = PROJECT_PATH / place("experiments") / f"{name}.json"
    _write_summary(summary, experiment, runner.outcomes, choice, grow_to)  # the comparison shows the choice
    runner.run(Step(experiment.settings[0], ("comparison",), "", "all that was recorded"), show_output=True)
    _write_summary(summary, experiment, runner.outcomes, choice, grow_to)
    return runner.outcomes, choice


def _do(
    step: Step,
    runner: StepRunner,
    shelf: RecordShelf,
    expected: dict[str, dict[str, str]],
    params: dict[str, Any],
    before: dict[str, int],
    first: tuple[str, ...] = (),
) -> None:
    """Runs the part of a step that is not recorded yet, after the pipelines that have to come first."""
    if step.pipelines == (INGESTION,):
        if not before and _images_exist(step.setting, params):
            runner.skip(step, "the images are there")
        else:
            runner.run(step)
        return
    wanted = step.repeat + before.get(step.setting, 0)
    missing = shelf.missing(step.setting, expected, step.pipelines, wanted)
    if not missing:
        runner.skip(step, "recorded already")
        return
    runner.run(replace(step, pipelines=(*first, *missing)))


def _grow(
    experiment: Experiment,
    family: Family,
    model: str,
    setting: str,
    train_size: int,
    runner: StepRunner,
    shelf: RecordShelf,
    again: bool,
) -> None:
    """Trains one model on more images, with exactly the best setting, after its fit time was predicted."""
    parameters = load_configuration(setting, experiment.params)["parameters"]
    text = with_params(experiment.params_text, {"train_size": train_size} | family.only(parameters, model))
    larger = Experiment((setting,), (family.name,), 1, text)
    expected = larger.expected()
    before = _counts(shelf, expected, (setting,)) if again else {}
    digest = expected[family.name][model]
    target = Target(setting, family.name, model, train_size, digest)
    recorded = len(shelf.matching(setting, family.name, model, digest))
    prediction = _predict(experiment, target, runner.console, shelf) if again or not recorded else None
    step = Step(setting, (family.name,), text, f"{train_size:,} images", 1)
    images_are_there = _images_exist(setting, larger.params) and not again
    first = tuple(name for name in family.needs if not (name == INGESTION and images_are_there))
    _do(step, runner, shelf, expected, larger.params, before, first)
    if prediction is not None:
        for record in shelf.matching(setting, family.name, model, digest)[recorded:]:
            measured_s = record.timings.fit_s[0]
            runner.console.print(
                f"{model} on {train_size:,} images: {compared(prediction, measured_s)}", soft_wrap=True
            )


def _predict(experiment: Experiment, target: Target, console: Console, shelf: RecordShelf) -> Forecast | None:
    """Predicts the fit time of a run that is still to come, stores the prediction and prints it."""
    records = comparable_records(shelf, experiment.settings, experiment.params, target)
    prediction = forecast(records, target)
    what = f"fit time of {target.model} under {target.setting} on {target.train_size:,} images"
    if prediction is None:
        console.print(
            f"No prediction of the {what}: no complete record of fewer or more images is there.", soft_wrap=True
        )
        return None
    store(prediction, target, PROJECT_PATH / place("fit_forecasts"))
    console.print(f"Predicted {what}: {prediction}.", soft_wrap=True)
    return prediction


def _counts(shelf: RecordShelf, expected: dict[str, dict[str, str]], settings: tuple[str, ...]) -> dict[str, int]:
    """The most records that any model has already under each setting."""
    return {
        setting: max(
            (
                len(shelf.matching(setting, pipeline, model, digest))
                for pipeline, models in expected.items()
                for model, digest in models.items()
            ),
            default=0,
        )
        for setting in settings
    }


def _images_exist(setting: str, params: dict[str, Any]) -> bool:
    from kedro.io import DataCatalog

    loader = load_configuration(setting, params)
    catalog = DataCatalog.from_config({name: loader["catalog"][name] for name in ("images", "images_info")})
    return all(catalog.exists(name) for name in ("images", "images_info"))


def _write_summary(
    file: Path, experiment: Experiment, outcomes: list[Outcome], choice: Choice | None, grow_to: int | None
) -> None:
    content = {
        "settings": experiment.settings,
        "pipelines": experiment.pipelines,
        "repeats": experiment.repeats,
        "params": experiment.params,
        "grow_to": grow_to,
        "choice": asdict(choice) if choice else None,
        "steps": [asdict(outcome) for outcome in outcomes],
    }
    whole_files.write_json(file, content, indent=2, default=str)
