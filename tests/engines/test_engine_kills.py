"""What is killed in mid-training: a worker, an executor, the whole run."""

import json
import time

import psutil
import pytest
from tests.factories.processes import alive, descendants_of, executors_of, finish, wait_until

pytestmark = pytest.mark.e2e

EPOCHS = 8


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


def checkpoint_file(project, engine, name):
    found = list(project.glob(f"data/06_models/**/lenet_{engine}_checkpoints/*/{name}"))
    return found[0] if found else None


def epochs_done(project, engine):
    file = checkpoint_file(project, engine, "history.json")
    try:
        return len(json.loads(file.read_text())) if file else 0
    except FileNotFoundError:  # the network was saved meanwhile
        return 0


def wait_for_epochs(project, run, engine, least):
    assert wait_until(lambda: epochs_done(project, engine) >= least or run.poll() is not None, 150)
    assert run.poll() is None, run.communicate()[0]


@pytest.mark.timeout(600)
def test_trainings_outlive_what_is_killed(start_training, project):
    run = start_training("bigdl+torch_distributor")
    wait_for_epochs(project, run, "bigdl", 2)
    executors_of(descendants_of(run))[0].kill()
    wait_for_epochs(project, run, "torch_distributor", 2)
    # Orca lost its executor, started again and came to its end.
    assert list(project.glob("data/06_models/**/lenet_bigdl.pt/*/*.pt"))
    before = epochs_done(project, "torch_distributor")
    report = checkpoint_file(project, "torch_distributor", "worker1.json")
    psutil.Process(json.loads(report.read_text())["pid"]).kill()
    killed = time.monotonic()
    wait_for_epochs(project, run, "torch_distributor", before + 2)  # at most the epoch under way was lost
    assert time.monotonic() - killed < 60
    descendants = descendants_of(run)
    run.kill()
    output = " ".join(finish(run, 10).split())
    assert output.count("training starts again from there") == 2
    assert f"lenet_bigdl: epoch {EPOCHS} of {EPOCHS}" in output
    assert wait_until(lambda: not alive(descendants), 25), alive(descendants)
    done = epochs_done(project, "torch_distributor")
    assert before + 2 <= done < EPOCHS
    # Nothing half-trained is taken for whole.
    assert not list(project.glob("data/06_models/**/lenet_torch_distributor.pt/*/*.pt"))

    again = start_training("torch_distributor", "bigdl_cnn,comparison")
    output = finish(again, 150)
    assert again.returncode == 0, output
    (file,) = project.glob("data/08_reporting/run_records/exec_2x1/lenet_torch_distributor.json/*/*.json")
    record = json.loads(file.read_text())
    assert record["resumed_after_epoch"] == done
    assert [row["epoch"] for row in record["history"]] == list(range(1, EPOCHS + 1))
    assert not checkpoint_file(project, "torch_distributor", "state.pt")
    report = (project / "data/08_reporting/comparison/report.md").read_text()
    assert "lenet_torch_distributor" in report
    # The comparison of a run sees where that run's own time went.
    assert "No application is there" not in report
