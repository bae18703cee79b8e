import re

import pytest
from click.testing import CliRunner
from tests.factories.experiment import STEP

from cifar_pipelines.experiment import run
from cifar_pipelines.experiment.expected import ExpectedSeconds
from cifar_pipelines.experiment.progress import Progress
from cifar_pipelines.experiment_command import experiment


def test_what_is_typed_counts_before_what_the_file_of_a_study_says(monkeypatch):
    seen = []

    def see(plan, grow_to, again, console, seconds, watch):
        with watch(Progress(console, list(plan.steps()), ExpectedSeconds(seconds))):
            seen.append((plan, grow_to))
        return [], None

    monkeypatch.setattr(run, "run_experiment", see)
    common = ["--params-of", "animals", "--settings", "exec_2x1"]
    said = CliRunner().invoke(experiment, common, catch_exceptions=False).output
    CliRunner().invoke(experiment, [*common, "--once", "transfer", "--repeats", "2", "--grow-to", "900", "--no-page"])
    (as_filed, no_growth), (as_typed, growth) = seen
    assert as_filed.once == ("transfer", "streaming") and as_filed.repeats == 1 and no_growth is None
    assert as_typed.once == ("transfer",) and as_typed.repeats == 2 and growth == 900
    assert as_filed.pipelines == as_typed.pipelines == ("ingestion", "features", "spark_ml", "bigdl_cnn")
    assert re.match(r"4 steps, about \d+ min: measurements of", said) and "browser: http://127.0.0.1:" in said


@pytest.mark.parametrize("given", [[], ["--again"]])
def test_after_a_failure_it_says_what_tries_only_what_has_failed(given, monkeypatch):
    monkeypatch.setattr(run, "run_experiment", lambda plan, *_: ([run.Outcome(STEP, "failed")], None))
    words = ["--settings", "exec_1x1", "--pipelines", "ingestion", "--no-page", *given]
    result = CliRunner().invoke(experiment, words)
    assert f"the same command{' without --again' if given else ''} tries only them again." in result.output
    assert result.exit_code == 1
