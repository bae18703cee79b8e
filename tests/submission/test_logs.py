"""`kedro logs` knows the names that `kedro bundle` knows."""

from pathlib import Path

import pytest

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.spark.run_file import write_run_file
from cifar_pipelines.submission.contents import collect
from cifar_pipelines.submission.logs import require_logs
from cifar_pipelines.submission.records import SubmissionRecord

RUN = "roll_7-2026-11-20T10.58.11.000Z-exec_2x1"
LATER = "roll_7-2026-11-21T10.58.11.000Z-exec_2x2"


def add_run(project, folder=RUN):
    write_run_file(project / "logs" / folder, "2026", "roll_7", "app-1")
    (project / "logs" / folder / "run.log").write_text("It ran.")


def test_a_run_that_was_given_a_name_without_a_submission_is_listed(tmp_path):
    add_run(tmp_path, LATER)
    add_run(tmp_path)
    first, second = require_logs(tmp_path, "roll_7")
    assert first.line == f"2026-11-20T10.58.11.000Z  not submitted  app-1  logs/{RUN}/run.log"
    assert second.file == Path("logs") / LATER / "run.log" and (tmp_path / second.file).read_text() == "It ran."


def test_the_run_of_a_submission_is_listed_once_by_the_submission(tmp_path):
    add_run(tmp_path)
    log = "logs/roll_7/2026-11-20T10.58.00Z/submit.log"
    (tmp_path / log).parent.mkdir(parents=True)
    fields = ("roll_7", "2026-11-20T10.58.00Z", "spark://a:1", [], None, "", [], None, log, "host", 1, "2026-11-20")
    SubmissionRecord(*fields, status="done", application_ids=["app-1"], spark_logs=[f"logs/{RUN}"]).write(tmp_path)
    (found,) = require_logs(tmp_path, "roll_7")
    assert found.line == f"2026-11-20T10.58.00Z  done  app-1  {log}"


def test_both_commands_refuse_an_unknown_name_with_the_same_nearest_ones(tmp_path):
    add_run(tmp_path)
    for command in (require_logs, collect):
        with pytest.raises(UserError, match=r"Unknown run name 'roll_8'\. Did you mean 'roll_7'"):
            command(tmp_path, "roll_8")
