"""What is killed in mid-training: a worker, an executor, the whole run."""

import json
import signal
import time

import psutil
import pytest

pytestmark = pytest.mark.e2e

EPOCHS = 12


def wait_until(condition, seconds):
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


@pytest.fixture
def start_training(start_kedro, project):
    """Returns a function that starts the training of a small network on two executors."""

    def start(engine, pipelines="ingestion,bigdl_cnn"):
        block = "bigdl_cnn.models.lenet.recipe"
        params = [
            *("train_size=1000", "test_size=50", "bigdl_cnn.networks=lenet", f"bigdl_cnn.engines={engine}"),
            *(f"{block}.epochs={EPOCHS}", f"{block}.batch_size=20", f"{block}.precision=fp32"),
        ]
        return start_kedro("run", "--pipelines", pipelines, "--env", "exec_2x1", "--params", ",".join(params))

    return start


def checkpoint_file(project, name):
    found = list(project.glob(f"data/06_models/**/*_checkpoints/*/{name}"))
    return found[0] if found else None


def epochs_done(project):
    file = checkpoint_file(project, "history.json")
    return len(json.loads(file.read_text())) if file else 0


def wait_for_epochs(project, run, least):
    assert wait_until(lambda: epochs_done(project) >= least or run.poll() is not None, 150)
    assert run.poll() is None, run.communicate()[0]


def last_record(project):
    file = max(project.glob("data/08_reporting/run_records/exec_2x1/lenet_*.json/*/*.json"))
    return json.loads(file.read_text())


def finish(run, seconds):
    output, _ = run.communicate(timeout=seconds)
    return output


def test_training_outlives_the_loss_of_an_executor(start_training, project):
    run = start_training("bigdl")
    wait_for_epochs(project, run, 2)
    executors = [
        process
        for process in psutil.Process(run.pid).children(recursive=True)
        if process.name() == "java" and "CoarseGrainedExecutorBackend" in " ".join(process.cmdline())
    ]
    executors[0].kill()
    output = finish(run, 150)
    assert run.returncode == 0, output
    assert "training starts again from there" in " ".join(output.split())
    record = last_record(project)
    assert record["restarts"] >= 1 and len(record["history"]) == EPOCHS


def test_training_outlives_a_worker_and_a_killed_run_goes_on_from_its_last_epoch(start_training, project):
    run = start_training("torch_distributor")
    wait_for_epochs(project, run, 2)
    before = epochs_done(project)
    psutil.Process(json.loads(checkpoint_file(project, "worker1.json").read_text())["pid"]).kill()
    killed = time.monotonic()
    wait_for_epochs(project, run, before + 2)  # at most the epoch under way was lost
    assert time.monotonic() - killed < 60
    descendants = psutil.Process(run.pid).children(recursive=True)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert wait_until(lambda: not [p for p in descendants if p.is_running() and p.status() != "zombie"], 25)
    done = epochs_done(project)
    assert before + 2 <= done < EPOCHS
    assert not list(project.glob("data/06_models/**/*.pt/*/*.pt"))  # nothing half-trained is taken for whole
    again = start_training("torch_distributor", "bigdl_cnn")
    output = finish(again, 150)
    assert again.returncode == 0, output
    record = last_record(project)
    assert record["resumed_after_epoch"] == done
    assert [row["epoch"] for row in record["history"]] == list(range(1, EPOCHS + 1))
    assert not checkpoint_file(project, "state.pt")
