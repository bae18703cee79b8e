from collections import namedtuple

import pytest
from click.testing import CliRunner

from cifar_pipelines import preflight, run_command
from cifar_pipelines.cli import cli
from cifar_pipelines.common import configuration

Typed = namedtuple("Typed", ["output", "started"])


@pytest.fixture
def kedro_run(tmp_path, monkeypatch):
    """Returns a function that types `kedro run <arguments>` in an empty folder; the run itself does not start."""
    started = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(preflight, "PROJECT_PATH", tmp_path)
    monkeypatch.setattr(run_command.kedro_run, "callback", lambda **options: started.append(options))
    monkeypatch.delenv("KEDRO_ENV", raising=False)

    def kedro_run(*arguments):
        started.clear()
        configuration.follow(None)
        result = CliRunner().invoke(cli, ["run", *arguments], catch_exceptions=False)
        assert result.exit_code in ((0,) if started else (1, 2)), result.output
        return Typed(" ".join(result.output.split()), started[0] if started else None)

    return kedro_run


@pytest.fixture
def refusal(kedro_run):
    """Returns a function that types a command that is refused, and returns what is said."""

    def refusal(*arguments):
        typed = kedro_run(*arguments)
        assert typed.started is None
        return typed.output

    return refusal
