import os
import subprocess
import sys
import time

import psutil
import pytest

from cifar_pipelines.common import processes
from cifar_pipelines.common.git import GitError, git
from cifar_pipelines.common.processes import end_guarded, start_guarded

SLEEP = [sys.executable, "-c", "import time; print('sleeping', flush=True); time.sleep(600)"]


def wait_for_text(file, text):
    deadline = time.monotonic() + 30
    while text not in file.read_text():
        assert time.monotonic() < deadline, file.read_text()
        time.sleep(0.02)


def test_a_guarded_command_prints_to_its_log_and_passes_its_status_on(tmp_path):
    code = "import os, sys; print(os.environ['WORD'], os.getcwd()); sys.exit(3)"
    with (tmp_path / "log").open("wb") as log:
        process = start_guarded([sys.executable, "-c", code], log, {"WORD": "here"}, tmp_path)
    assert process.wait(30) == 3
    assert (tmp_path / "log").read_text() == f"here {tmp_path}\n"
    end_guarded(process)


def test_guarded_processes_end_with_all_they_started(tmp_path):
    started = []
    for name in "ab":
        with (tmp_path / name).open("wb") as log:
            started.append(start_guarded(SLEEP, log, {}))
    for name in "ab":
        wait_for_text(tmp_path / name, "sleeping")
    everything = [child for process in started for child in psutil.Process(process.pid).children(recursive=True)]
    assert len(everything) == 2
    end_guarded(*started)
    assert all(process.poll() is not None for process in started)
    assert not psutil.wait_procs(everything, timeout=10)[1]


def test_they_end_also_where_another_process_holds_the_pipe(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "PATIENCE_S", 0.5)
    monkeypatch.setattr(processes.guardian, "GRACE_S", 0.2)
    with (tmp_path / "log").open("wb") as log:
        process = start_guarded(SLEEP, log, {})
    inherited = os.dup(process.stdin.fileno())
    try:
        wait_for_text(tmp_path / "log", "sleeping")
        started = psutil.Process(process.pid).children()
        end_guarded(process)
        assert len(started) == 1 and not psutil.wait_procs(started, timeout=10)[1]
    finally:
        os.close(inherited)


def test_git_answers_or_says_that_it_failed(tmp_path):
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    assert git(tmp_path, "rev-parse", "--is-inside-work-tree") == b"true\n"
    with pytest.raises(GitError, match="git rev-parse failed"):
        git(tmp_path, "rev-parse", "HEAD")
    with pytest.raises(GitError):
        git(tmp_path / "nowhere", "status")
