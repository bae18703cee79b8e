"""What is killed in mid-training by Orca: an executor, the whole run. A worker of TorchDistributor: see `test_engines`."""

import json
import time

import pytest
from tests.factories.processes import alive, descendants_of, executors_of, finish, wait_until

pytestmark = pytest.mark.e2e

EPOCHS = 12


@pytest.fixture
def start_training(start_kedro):
    """Returns a function that starts the training of a small network on two executors."""

    def start(pipelines):
        block = "bigdl_cnn.models.lenet.recipe"
        params = [
            *("train_size=600", "test_size=50", "bigdl_cnn.networks=lenet", "bigdl_cnn.engines=bigdl"),
            *(f"{block}.epochs={EPOCHS}", f"{block}.batch_size=20", f"{block}.precision=fp32"),
        ]
        return start_kedro("run", "--pipelines", pipelines, "--env", "exec_2x1", "--params", ",".join(params))

    return start


def checkpoint_file(project, name):
    found = list(project.glob(f"data/06_models/**/lenet_bigdl_checkpoints/*/{name}"))
    return found[0] if found else None


def epochs_done(project):
    file = checkpoint_file(project, "history.json")
    try:
        return len(json.loads(file.read_text())) if file else 0
    except FileNotFoundError:  # the network was saved meanwhile
        return 0


def wait_for_epochs(project, run, least):
    assert wait_until(lambda: epochs_done(project) >= least or run.poll() is not None, 300)
    assert run.poll() is None, run.communicate()[0]


@pytest.mark.timeout(1200)
def test_a_training_outlives_an_executor_and_the_run(start_training, project):
    begun = time.monotonic()
    run = start_training("ingestion,bigdl_cnn")
    wait_for_epochs(project, run, 1)
    executor, _ = executors_of(descendants_of(run))
    wait_for_epochs(project, run, 2)
    start_s = time.monotonic() - begun
    before = epochs_done(project)
    executor.kill()
    killed = time.monotonic()
    wait_for_epochs(project, run, before + 2)  # at most the epoch under way was lost
    assert time.monotonic() - killed < max(60, start_s)  # on a busy host all takes longer; nobody waits for the dead
    descendants = descendants_of(run)
    run.kill()
    output = " ".join(finish(run, 10).split())
    assert output.count("training starts again from there") == 1
    assert wait_until(lambda: not alive(descendants), 25), alive(descendants)
    done = epochs_done(project)
    assert before + 2 <= done < EPOCHS
    # Nothing half-trained is taken for whole.
    assert not list(project.glob("data/06_models/**/lenet_bigdl.pt/*/*.pt"))

    again = start_training("bigdl_cnn")
    output = finish(again, 300)
    assert again.returncode == 0, output
    (file,) = project.glob("data/08_reporting/run_records/exec_2x1/lenet_bigdl.json/*/*.json")
    record = json.loads(file.read_text())
    assert record["resumed_after_epoch"] == done
    assert [row["epoch"] for row in record["history"]] == list(range(1, EPOCHS + 1))
    assert not checkpoint_file(project, "state.pt")
