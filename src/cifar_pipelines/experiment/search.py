"""A search for the best values of parameters: every combination is a run of its own, and validation images decide."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from cifar_pipelines.common import whole_files
from cifar_pipelines.common.configuration import PROJECT_PATH, load_configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.params import parse_params, split_params
from cifar_pipelines.common.places import place
from cifar_pipelines.common.tables import judged_split
from cifar_pipelines.common.words import counted
from cifar_pipelines.experiment.kept_images import KeptImages
from cifar_pipelines.experiment.plan import Experiment, Step, with_params
from cifar_pipelines.experiment.progress import Progress
from cifar_pipelines.experiment.runner import StepRunner
from cifar_pipelines.families import families
from cifar_pipelines.judging.statistics import count_pairs, mcnemar_p, wilson_interval
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.saved_predictions import read_predictions, validation_rows
from cifar_pipelines.records.shelf import RecordShelf

MOST_RUNS = 200  # a larger grid is a slip more often than a plan
# Parameters of which another value means other validation images, so that nothing could be compared.
OF_VALIDATION = ("seed", "validation", "source", "source_path", "source_options", "on_bad_image")


@dataclass(frozen=True)
class Search:
    """What is searched.

    Attributes:
        setting: Name of the environment under which all runs are.
        pipeline: The family whose models are compared.
        vary: The values to try, by name of the parameter, as they are typed.
        params_text: What all runs are given with `--params`.
        params_of: The environment that some of these come from; None for none.
    """

    setting: str
    pipeline: str
    vary: Mapping[str, tuple[str, ...]]
    params_text: str
    params_of: str | None = None

    @classmethod
    def of(
        cls, setting: str, pipeline: str, vary: Sequence[str], params_text: str, params_of: str | None = None
    ) -> "Search":
        """Reads texts such as "bigdl_cnn.models.airbench.recipe.flip=true+false".

        Raises:
            UserError: If one is no name with values, a name is there twice, or there are none or too many.
        """
        values: dict[str, tuple[str, ...]] = {}
        for text in vary:
            for name, joined in split_params(text, "--vary").items():
                if name in values:
                    raise UserError(f"--vary gives {name} twice. Join its values by +, as in {name}=a+b.")
                values[name] = tuple(dict.fromkeys(joined.split("+")))
        search = cls(setting, pipeline, values, params_text, params_of)
        if not 2 <= len(search.combinations) <= MOST_RUNS:
            raise UserError(
                f"--vary names {counted(len(search.combinations), 'combination')} of values, but a search needs 2 to {MOST_RUNS}: "
                "--vary name=value+value, once for every name."
            )
        return search

    @property
    def combinations(self) -> list[dict[str, str]]:
        """Every combination of values, in the order in which they are typed."""
        return (
            [dict(zip(self.vary, values, strict=True)) for values in product(*self.vary.values())] if self.vary else []
        )

    def experiment(self, combination: Mapping[str, str]) -> Experiment:
        """The run of one combination."""
        varied = parse_params(",".join(f"{name}={value}" for name, value in combination.items()))
        text = with_params(self.params_text, varied)
        return Experiment((self.setting,), (self.pipeline,), 1, text, params_of=self.params_of)

    def step(self, combination: Mapping[str, str]) -> Step:
        """The same as a step, whose words are the values."""
        what = ", ".join(in_words(combination))
        return self.experiment(combination).step(self.setting, (self.pipeline,), what)

    def check(self) -> None:
        """Checks all runs before the first one.

        Raises:
            UserError: As one of the runs would, or if their validation images would be none, others, or not predicted.
        """
        for name in self.vary:
            if name.partition(".")[0] in OF_VALIDATION:
                raise UserError(
                    f"--vary names {name}, but all models are compared on the same validation images, which that changes. Give it one "
                    "value with --params."
                )
        experiments = [self.experiment(combination) for combination in self.combinations]
        for experiment in experiments:
            experiment.check()
        validated = [family.name for family in families().values() if family.predicts_validation]
        if self.pipeline not in validated:
            raise UserError(
                f"{self.pipeline} leaves no predictions of validation images, which decide a search. Search among the models of "
                f"{', '.join(validated)}."
            )
        parameters = load_configuration(self.setting, experiments[0].params)["parameters"]
        if not parameters["validation"]["share"]:
            raise UserError(
                "No validation images are cut from the training images, and test images must not choose. Add --params "
                "validation.share=0.15."
            )


def in_words(combination: Mapping[str, str]) -> list[str]:
    """Values with the last parts of their names, as few as tell them apart, such as "flip=true"."""

    def short(name: str) -> str:
        parts = name.split(".")
        ends = [".".join(parts[first:]) for first in reversed(range(len(parts)))]
        return next(
            end for end in ends if sum(f".{other}".endswith(f".{end}") for other in combination) == 1 or end == name
        )

    return [f"{short(name)}={value}" for name, value in combination.items()]


@dataclass(frozen=True)
class Found:
    """What came of one model of one combination.

    Attributes:
        model: Name of the model.
        values: The combination.
        run_id: The run.
        images: Validation images.
        accuracy: Share of them that is right; `low` and `high` are the ends of its interval.
        p: Of McNemar's test against the best; None for the best itself.
        fit_s: Fit time in seconds.
        judged_by_them: Whether there are no other images to judge models on, so that the best looks better than it is.
    """

    model: str
    values: Mapping[str, str]
    run_id: str
    images: int
    accuracy: float
    low: float
    high: float
    p: float | None
    fit_s: float
    judged_by_them: bool = False


def run_search(search: Search, console: Console) -> tuple[list[Found], list[str], Path]:
    """Runs what is not recorded yet, goes on after a failure, and ranks by validation images alone.

    Returns:
        What was found, the best first; the combinations whose run failed; and the file that holds both.
    """
    name = f"search-{datetime.now(UTC):%Y-%m-%dT%H.%M.%SZ}"
    combinations = search.combinations
    steps = [search.step(combination) for combination in combinations]
    runner = StepRunner(PROJECT_PATH, PROJECT_PATH / "logs" / name, Progress(console, steps))
    shelf = RecordShelf(PROJECT_PATH / place("run_records"))
    records: list[tuple[dict[str, str], RunRecord]] = []
    for combination, step in zip(combinations, steps, strict=True):
        experiment = search.experiment(combination)
        expected, images = experiment.expected(), KeptImages(search.setting, experiment.params)
        if shelf.missing(search.setting, expected, step.pipelines, 1, images.fingerprint):
            runner.run(step)
            images.look()
        else:
            runner.skip(step, "recorded already")
        for model, digest in expected[search.pipeline].items():
            found = shelf.matching(search.setting, search.pipeline, model, digest, images.fingerprint)
            records += [(combination, record) for record in found[-1:]]
    failed = [outcome.step.what for outcome in runner.outcomes if outcome.status == "failed"]
    ranking = ranked(records, PROJECT_PATH / place("outputs_folder"))
    file = PROJECT_PATH / place("searches") / f"{name}.json"
    content: dict[str, Any] = asdict(search) | {"found": [asdict(one) for one in ranking], "failed": failed}
    whole_files.write_json(file, content, indent=2)
    return ranking, failed, file


def ranked(records: Sequence[tuple[Mapping[str, str], RunRecord]], outputs: Path) -> list[Found]:
    """Ranks models by their accuracy on validation images, the best first, each tested against the best.

    Args:
        records: The run records, each with its combination.
        outputs: The folder of all outputs of models.

    Raises:
        UserError: If a run has left no predictions of validation images, or they are of other images.
    """
    judged = []
    for values, record in records:
        table = _of_validation(record, outputs)
        if table.empty:
            raise UserError(
                f"The run {record.run_id} of {record.model} left no predictions of validation images. Train it again with "
                "--params validation.share=0.15."
            )
        right = (table["prediction"] == table["label"]).astype(bool).set_axis(table["image_id"]).sort_index()
        judged.append((values, record, right))
    judged.sort(key=lambda row: -row[2].mean())
    found = []
    for values, record, right in judged:
        best = judged[0][2]
        if not right.index.equals(best.index):
            raise UserError(
                "The runs have other validation images: unreadable ones were left out of some, or the source has changed. Search again."
            )
        low, high = wilson_interval(int(right.sum()), len(right))
        p = None if right is best else mcnemar_p(count_pairs(best.to_numpy(), right.to_numpy()))
        found.append(
            Found(
                record.model,
                values,
                record.run_id,
                len(right),
                float(right.mean()),
                low,
                high,
                p,
                record.times_s[-1],
                not record.data.test_size,
            )
        )
    return found


def _of_validation(record: RunRecord, outputs: Path) -> pd.DataFrame:
    """What a model says of the validation images; it is judged on them where no test image has a label."""
    if judged_split({"test_size": record.data.test_size}) == "validation":
        return read_predictions(record, outputs, "predictions")
    return validation_rows(read_predictions(record, outputs, "further_predictions"))
