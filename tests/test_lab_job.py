"""The one file for clusters that take one."""

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cifar_pipelines.common.params import parse_params
from cifar_pipelines.families import require_pipelines
from cifar_pipelines.spark.environment import check_environment

FILE = Path(__file__).parents[1] / "lab_job.py"


@pytest.fixture
def lab_job():
    spec = importlib.util.spec_from_file_location("lab_job", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def project(tmp_path):
    """A project whose Python says what it is asked, and fails with status 3."""
    folder = tmp_path / "project"
    (folder / "src" / "cifar_pipelines").mkdir(parents=True)
    (folder / "conf" / "base").mkdir(parents=True)
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$PWD: $@"\necho "spark: $SPARK_HOME" >&2\nexit 3\n')
    python.chmod(0o755)
    return folder


def test_it_runs_the_project_under_the_roll_number_and_keeps_the_log_where_it_was_started(project, tmp_path):
    started, copy = tmp_path / "started", project / "src" / "your_code.py"
    started.mkdir()
    copy.write_text(FILE.read_text())
    environment = os.environ | {"SPARK_HOME": "/elsewhere", "CIFAR_PIPELINES_PROJECT": ""}
    done = subprocess.run(
        [sys.executable, copy, "ME21B001"], cwd=started, env=environment, capture_output=True, text=True, check=False
    )
    log = (started / "ME21B001.log").read_text()
    assert done.returncode == 3 and "Exit status 3. Log: " in done.stdout
    said = (
        f"{project}: -m kedro run --pipelines ingestion,features,spark_ml,bigdl_cnn,comparison --env exec_2x1 --params "
    )
    assert said + "run_name=ME21B001,report.roll_number=ME21B001\n" in log and said in done.stdout
    assert "spark: \n" in log


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_run_ends_with_it_and_is_heard_to_its_end(project, tmp_path, number):
    python = project / ".venv" / "bin" / "python"
    python.write_text("#!/bin/sh\ntrap 'echo ended; exit 130' INT TERM\necho begun\nwhile :; do sleep 0.1; done\n")
    environment = os.environ | {"CIFAR_PIPELINES_PROJECT": str(project)}
    run = subprocess.Popen(
        [sys.executable, FILE, "4711"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # a shell has what runs in its background ignore SIGINT
    )  # fmt: skip
    assert run.stdout.readline() == b"begun\n"
    run.send_signal(number)
    said, errors = run.communicate(timeout=60)
    assert run.returncode == 130 and said.startswith(b"ended\nExit status 130.") and not errors
    assert (tmp_path / "4711.log").read_text().endswith("begun\nended\n")


def test_what_it_types_is_what_the_project_knows(lab_job, monkeypatch):
    monkeypatch.setattr(lab_job, "MASTER", "spark://host:7077")
    monkeypatch.setattr(lab_job, "PARAMS", "source=cifar10")
    line = lab_job.command(lab_job.find_project(), "4711")
    require_pipelines(line[line.index("--pipelines") + 1].split(","))
    check_environment(line[line.index("--env") + 1])
    params = parse_params(line[line.index("--params") + 1])
    assert params["run_name"] == "4711" and params["spark_master"] == "spark://host:7077"
    assert lab_job.find_project() == FILE.parent


@pytest.mark.parametrize(
    ("arguments", "words"),
    [([], "roll number is missing"), (["ME/21"], "is 'ME/21', but must"), (["x"], "project is nowhere")],
)
def test_what_is_missing_is_said(lab_job, tmp_path, monkeypatch, arguments, words):
    monkeypatch.setattr(lab_job, "__file__", str(tmp_path / "lab_job.py"))
    monkeypatch.delenv("CIFAR_PIPELINES_PROJECT", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=words):
        lab_job.main(arguments)
