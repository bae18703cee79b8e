from pathlib import Path

import pytest
from rich.console import Console
from tests.factories.experiment import STEP

from cifar_pipelines.experiment.plan import Step
from cifar_pipelines.experiment.progress import Progress
from cifar_pipelines.experiment.runner import StepRunner, _last_words, _reason


@pytest.fixture
def runner(tmp_path):
    console = Console(file=(tmp_path / "out").open("w"), width=300)
    return StepRunner(tmp_path, tmp_path / "logs", Progress(console, [STEP, STEP]))


def test_a_step_that_fails_says_why_and_names_its_log(runner, tmp_path, monkeypatch):
    monkeypatch.setattr(Step, "arguments", lambda self: ["no-such-command"])
    outcome = runner.run(STEP)
    assert outcome.status == "failed" and "No such command" in outcome.reason
    assert "[1/2] images: failed after" in Path(tmp_path / "out").read_text()  # at once: nothing waits in a buffer
    assert outcome.log.exists()


def test_a_reason_is_whole_where_it_is_an_error_and_cut_between_words_where_it_was_only_printed(tmp_path):
    error, log = tmp_path / "step.error", tmp_path / "step.log"
    log.write_text("first\n" + "word " * 200 + "\n\n")
    reason = _reason(error, log)
    assert len(reason) <= 300 and reason.endswith("word …")
    error.write_text("Missing: images. This command makes them:\n\n    kedro run\n")
    assert _reason(error, log) == "Missing: images. This command makes them: kedro run"


def test_what_a_step_said_last_is_what_the_pipelines_said(tmp_path):
    log = tmp_path / "log"
    log.write_text("[03:44:05] INFO     lenet: epoch 4 of 6  \nSpark WARN Client: Neither spark.yarn\n2026 - INFO - \n")
    assert _last_words(log) == "lenet: epoch 4 of 6"
    log.write_text("creating: createDistriOptimizer\n")
    assert _last_words(log) == ""


def test_a_step_that_ends_well_is_done(runner, monkeypatch):
    monkeypatch.setattr(Step, "arguments", lambda self: ["--version"])
    outcome = runner.run(STEP)
    assert (outcome.status, outcome.reason) == ("done", "")
