import socket
import time
from types import SimpleNamespace

import pytest

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.spark import master as master_module
from cifar_pipelines.spark.master import driver_address, master_addresses, no_session, reach_master, refusals_explained
from cifar_pipelines.spark.stall import StallWatch


@pytest.fixture
def master():
    """The address of something that listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"spark://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def nobody():
    """An address where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"spark://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("url", "places"),
    [
        ("spark://host:7077", [("host", 7077)]),
        ("spark://a.b:1,10.0.0.2:65535", [("a.b", 1), ("10.0.0.2", 65535)]),
        ("spark://[::1]:7077", [("::1", 7077)]),
    ],
)
def test_an_address_is_read(url, places):
    assert master_addresses(url) == places


@pytest.mark.parametrize(
    "url",
    [
        *("", "local[4]", "host:7077", "http://host:7077", "spark://host", "spark://host:", "spark://:7077"),
        *("spark://host:0", "spark://host:65536", "spark://host:7077/", "spark://a:1,", "spark://a b:1"),
    ],
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(UserError, match="but must be spark://host:port, such as"):
        master_addresses(url)


def test_an_underscore_in_the_name_of_a_host_is_explained():
    with pytest.raises(UserError, match=r"'spark://my_master:7077', but Spark takes no underscore.*address instead"):
        master_addresses("spark://my_master:7077")


def test_an_address_of_version_6_is_in_brackets(monkeypatch):
    monkeypatch.delenv("SPARK_LOCAL_IP", raising=False)
    monkeypatch.setattr(master_module, "reach_master", lambda url: "::1")
    assert driver_address("spark://[::1]:7077", {}) == {"spark.driver.host": "[::1]"}


def test_advice_to_use_the_embedded_cluster_is_not_given_by_it():
    assert "spark_master=embedded" in no_session("spark://host:7077", "why").message
    assert no_session(None, "why").message == (
        "No Spark session on the embedded cluster: why. Its logs lie in the folder of the run's logs."
    )


def test_the_cause_of_a_driver_that_does_not_start_is_that_of_its_jvm(tmp_path):
    from pyspark.errors import PySparkRuntimeError

    log = tmp_path / "driver.log"
    log.write_text('Exception in thread "main" java.lang.ClassNotFoundException: no.Listener\n\tat a.B(C.java:1)\n')
    with (
        pytest.raises(UserError, match=r"driver did not start: .*ClassNotFoundException: no\.Listener\. .*driver\.log"),
        refusals_explained(None, log),
    ):
        raise PySparkRuntimeError(error_class="JAVA_GATEWAY_EXITED", message_parameters={})


def test_the_address_that_a_master_sees_is_the_drivers(master, monkeypatch):
    monkeypatch.delenv("SPARK_LOCAL_IP", raising=False)
    assert reach_master(master) == "127.0.0.1"
    assert driver_address(master, {}) == {"spark.driver.host": "127.0.0.1"}
    assert driver_address(master, {"spark.driver.host": "10.0.0.1"}) == {}
    monkeypatch.setenv("SPARK_LOCAL_IP", "10.0.0.1")
    assert driver_address(master, {}) == {}


def test_a_master_that_stands_by_is_enough(master, nobody):
    assert reach_master(f"{nobody},{master.removeprefix('spark://')}") == "127.0.0.1"


def test_where_no_master_answers_the_message_says_what_to_try(nobody):
    started = time.monotonic()
    with pytest.raises(UserError, match=rf"No Master answers at {nobody}: .*refused\. Check that the Master runs"):
        reach_master(nobody)
    assert time.monotonic() - started < 5


class Context:
    """A Spark context with one job, of which as many tasks run as `tasks` says."""

    master = "spark://host:7077"

    def __init__(self, jobs, tasks):
        self.jobs, self.tasks, self.cancelled = jobs, tasks, 0

    def statusTracker(self):  # noqa: N802
        return self

    def getActiveJobsIds(self):  # noqa: N802
        return self.jobs

    def getActiveStageIds(self):  # noqa: N802
        return [0, 1]

    def getStageInfo(self, number):  # noqa: N802
        return SimpleNamespace(numActiveTasks=self.tasks) if number == 0 else None

    def cancelAllJobs(self):  # noqa: N802
        self.cancelled += 1


@pytest.mark.parametrize(("jobs", "tasks", "stalled"), [([1], 0, True), ([1], 1, False), ([], 0, False)])
def test_a_job_of_which_no_task_runs_is_cancelled(jobs, tasks, stalled):
    context = Context(jobs, tasks)
    with StallWatch(SimpleNamespace(sparkContext=context), patience_s=0.1, poll_s=0.02) as watch:
        deadline = time.monotonic() + (10 if stalled else 0.5)
        while not context.cancelled and time.monotonic() < deadline:
            time.sleep(0.02)
    assert bool(context.cancelled) == stalled
    assert (watch.reason is not None) == stalled
    if stalled:
        assert "no task ran for 0 s" in watch.reason and "spark://host:7077" in watch.reason
