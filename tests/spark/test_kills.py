import re
import signal

import pytest
from tests.factories.processes import alive, descendants_of, executors_of, finish, read_until, wait_until

pytestmark = pytest.mark.e2e

# A runtime on the embedded cluster with two jobs, of which the second never ends; the argument is a folder.
TWO_JOBS = """
import sys, time
from pathlib import Path
from cifar_pipelines.spark.session import registered_executors
from tests.factories.runtime import make_runtime

folder = Path(sys.argv[1])

def wait_for(release):
    def task(number):
        (folder / f"{release}{number}").touch()
        while not (folder / release).exists():
            time.sleep(0.1)
        return number
    return task

with make_runtime(2, 1, "512m", folder) as runtime:
    context = runtime.session.sparkContext
    print("total:", context.parallelize(range(4), 4).map(wait_for("first")).sum())
    deadline = time.monotonic() + 30
    while len(ids := [e["id"] for e in registered_executors(runtime.session)]) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    print("executors:", *ids, "are there")
    context.parallelize(range(2), 2).map(wait_for("second")).collect()
"""


def test_a_job_survives_the_loss_of_an_executor_and_no_process_that_of_the_driver(start_python, tmp_path):
    driver = start_python(TWO_JOBS, tmp_path)
    assert wait_until(lambda: all((tmp_path / f"first{i}").exists() for i in range(2)), 120)
    executors = executors_of(descendants_of(driver))
    assert len(executors) == 2
    executors[0].kill()
    (tmp_path / "first").touch()
    seen = read_until(driver, "are there")
    assert "total: 6" in seen
    assert re.search(r"^executors: [01] 2 ", seen, re.MULTILINE), seen  # 2 replaces the one that was lost

    assert wait_until(lambda: all((tmp_path / f"second{i}").exists() for i in range(2)), 60)
    descendants = descendants_of(driver)
    assert len(executors_of(descendants)) == 2
    driver.kill()
    try:
        assert wait_until(lambda: driver.poll() is not None and not alive(descendants), 20)
    finally:
        for process in alive(descendants):
            process.kill()


FEW = "train_size=60,test_size=20,features.options.kmeans_patches.centroids=8"
STREAM = "train_size=300,test_size=20,extractor=pixels,streaming.serve=20,streaming.selected=stream_nearest_class_mean"


@pytest.mark.parametrize(
    ("pipelines", "params", "phase"),
    [
        ("ingestion,features", FEW, "Starting Spark"),
        ("ingestion,features", FEW, "Learning the dictionary"),
        ("ingestion,streaming", STREAM, "Of the last images"),
    ],
)
def test_ctrl_c_ends_a_run_in_every_phase(start_kedro, pipelines, params, phase):
    run = start_kedro("run", "--pipelines", pipelines, "--env", "test", "--params", params)
    read_until(run, phase)
    descendants = descendants_of(run)
    run.send_signal(signal.SIGINT)
    output = finish(run, 60)
    assert run.returncode == 1
    assert "Aborted!" in output
    assert "Traceback" not in output and "KeyboardInterrupt" not in output
    assert wait_until(lambda: not alive(descendants), 20), alive(descendants)


def test_a_finaliser_that_ctrl_c_meets_prints_nothing(run_python, tmp_path):
    code = """
    import sys
    from tests.factories.runtime import make_runtime

    class Lost:
        def __init__(self, error):
            self.error = error
        def __del__(self):
            raise self.error

    runtime = make_runtime(1, 1, "512m", sys.argv[1])
    try:
        runtime._interrupt()
    except KeyboardInterrupt:
        print("interrupted")
    Lost(KeyboardInterrupt())
    print("quiet so far")
    Lost(ValueError("is printed"))
    """
    before, after = run_python(code, tmp_path).split("quiet so far")
    assert before == "interrupted\n" and "ValueError: is printed" in after
