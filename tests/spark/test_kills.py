import re
import signal
import time

import psutil
import pytest

pytestmark = pytest.mark.e2e

# A runtime on the embedded cluster; the argument is a folder.
RUNTIME = """
import sys, time
from pathlib import Path
from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.spark.spark_config import SparkConfig
from cifar_pipelines.spark.setting import ParallelismSetting
from cifar_pipelines.spark.session import SparkRuntime, registered_executors

folder = Path(sys.argv[1])
config = SparkConfig.from_config(load_configuration()["spark"] | {"log_dir": str(folder)})

def wait_for_release(number):
    (folder / f"task{number}").touch()
    while not (folder / "release").exists():
        time.sleep(0.1)
    return number
"""
LONG_JOB = """
with SparkRuntime(ParallelismSetting(1, 1, "512m"), config, "test") as runtime:
    runtime.session.sparkContext.parallelize([0], 1).map(wait_for_release).collect()
"""
JOB_THAT_REPORTS = """
with SparkRuntime(ParallelismSetting(2, 1, "512m"), config, "test") as runtime:
    total = runtime.session.sparkContext.parallelize(range(4), 4).map(wait_for_release).sum()
    print("total:", total)
    deadline = time.monotonic() + 30
    while len(ids := [e["id"] for e in registered_executors(runtime.session)]) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    print("executors:", *ids)
"""


def wait_until(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    return condition()


def command(process):
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it has ended, or its parent has yet to notice that it has
        return ""


def alive(processes):
    return [process for process in processes if process.is_running() and command(process)]


def executors_of(processes):
    commands = {process: command(process).split() for process in processes}
    return [
        process
        for process, words in commands.items()
        if words
        and words[0].endswith("java")
        and any("CoarseGrainedExecutorBackend" in word for word in words)
    ]


@pytest.fixture
def start_job(start_python, tmp_path):
    """Returns a function that starts a job and returns the driver and all its descendants, tasks running."""
    everything = []

    def start(job, executors):
        driver = start_python(RUNTIME + job, tmp_path)
        assert wait_until(lambda: all((tmp_path / f"task{i}").exists() for i in range(executors)), 120)
        descendants = psutil.Process(driver.pid).children(recursive=True)
        everything.extend(descendants)
        assert len(executors_of(descendants)) == executors
        return driver, descendants

    yield start
    for process in alive(everything):
        process.kill()


def test_no_process_outlives_a_driver_that_is_killed(start_job):
    driver, descendants = start_job(LONG_JOB, 1)
    driver.send_signal(signal.SIGKILL)
    assert wait_until(lambda: driver.poll() is not None and not alive(descendants), 20), alive(descendants)
    assert driver.returncode != 0


def test_a_job_survives_the_loss_of_an_executor(start_job, tmp_path):
    driver, descendants = start_job(JOB_THAT_REPORTS, 2)
    executors_of(descendants)[0].kill()
    (tmp_path / "release").touch()
    output, _ = driver.communicate(timeout=90)
    assert "total: 6" in output, output
    assert re.search(r"^executors: [01] 2$", output, re.MULTILINE), output  # 2 replaces the one that was lost
    assert driver.returncode == 0


SMALL = "train_size=60,test_size=20,features.options.kmeans_patches.centroids=8"


@pytest.mark.parametrize("phase", ["Starting Spark", "Learning the dictionary"])
def test_ctrl_c_ends_a_run_in_every_phase(start_kedro, phase):
    run = start_kedro("run", "--pipelines", "ingestion,features", "--params", SMALL)
    seen = ""
    while phase not in " ".join(seen.split()):
        line = run.stdout.readline()
        assert line, seen
        seen += line
    descendants = psutil.Process(run.pid).children(recursive=True)
    run.send_signal(signal.SIGINT)
    output, _ = run.communicate(timeout=30)
    assert run.returncode == 1
    assert "Aborted!" in output
    assert "Traceback" not in output
    assert wait_until(lambda: not alive(descendants), 20), alive(descendants)


def test_a_finaliser_that_ctrl_c_meets_prints_nothing(run_python):
    code = """
    from cifar_pipelines.spark.spark_config import SparkConfig
    from cifar_pipelines.common.configuration import load_configuration
    from cifar_pipelines.spark.setting import ParallelismSetting
    from cifar_pipelines.spark.session import SparkRuntime

    class Lost:
        def __init__(self, error):
            self.error = error
        def __del__(self):
            raise self.error

    config = SparkConfig.from_config(load_configuration()["spark"])
    runtime = SparkRuntime(ParallelismSetting(1, 1, "512m"), config, "test")
    try:
        runtime._interrupt()
    except KeyboardInterrupt:
        print("interrupted")
    Lost(KeyboardInterrupt())
    print("quiet so far")
    Lost(ValueError("is printed"))
    """
    before, after = run_python(code).split("quiet so far")
    assert before == "interrupted\n" and "ValueError: is printed" in after
