import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from cifar_pipelines.common import guardian
from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.spark.cluster import EmbeddedCluster, EmbeddedClusterConfig, require_free_port
from cifar_pipelines.spark.cluster_info import ClusterInfo
from cifar_pipelines.spark.java import find_java_home
from cifar_pipelines.spark.setting import ParallelismSetting
from cifar_pipelines.spark.spark_config import SparkConfig

pytestmark = pytest.mark.e2e

# Starts a runtime with the arguments cores, cores per executor, memory, Master, seconds to wait, folder.
RUNTIME = """
import sys
from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.spark.session import SparkRuntime, active_session
from cifar_pipelines.spark.setting import ParallelismSetting
from cifar_pipelines.spark.spark_config import SparkConfig

cores_max, executor_cores, memory, master, timeout, log_dir = sys.argv[1:]
block = load_configuration()["spark"]
block |= {"master": master, "executors_timeout_s": float(timeout), "log_dir": log_dir}
# Spark itself would wait a minute for executors before the project's own clock starts.
block["properties"]["spark.scheduler.maxRegisteredResourcesWaitingTime"] = "0s"
setting = ParallelismSetting(int(cores_max), int(executor_cores), memory)
runtime = SparkRuntime(setting, SparkConfig.from_config(block), "test")
try:
    info = runtime.start(on_step=lambda step: None)
except UserError as error:
    print("refused:", error)
    sys.exit()
"""
# Says what was effective, and from where an executor and a process of its own import the package.
REPORT = """
import json

def where(_):
    import subprocess
    import cifar_pipelines.pipelines.features.worker
    code = "import cifar_pipelines; print(cifar_pipelines.__file__)"
    started = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return [cifar_pipelines.__file__, started.stdout.strip()]

found = runtime.session.sparkContext.parallelize([0], 1).map(where).collect()
assert active_session() is runtime.session
runtime.stop()
runtime.stop()
print("report:", json.dumps(info.for_record() | {"where": found[0]}))
"""


@pytest.fixture
def cluster(tmp_path):
    """Returns a function that starts an embedded cluster by hand; it is stopped after the test."""
    started = []

    def start(*setting, **config):
        made = EmbeddedCluster(
            ParallelismSetting(*setting), tmp_path / "logs", find_java_home(), EmbeddedClusterConfig(**config)
        )
        started.append(made)
        made.start()
        made.await_worker()
        return made

    yield start
    for made in started:
        made.stop()


@pytest.fixture
def taken_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture(scope="module", autouse=True)
def lost_runtime(tmp_path_factory):
    """A runtime that takes something else for a Master; Spark tries for a minute, beside the other tests."""
    server = socket.create_server(("127.0.0.1", 0))
    url = f"spark://127.0.0.1:{server.getsockname()[1]}"
    arguments = ["1", "1", "512m", url, "5", str(tmp_path_factory.mktemp("lost"))]
    command = [sys.executable, "-c", RUNTIME, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        yield url, process
        process.kill()
    server.close()


def daemons():
    """The processes of embedded clusters: the children of this process that guard a daemon, and theirs.

    Not the `pgrep` that an executor starts every now and then to measure its memory.
    """
    guardians = [p for p in psutil.Process().children() if guardian.__file__ in command(p)]
    found = {process for parent in guardians for process in [parent, *parent.children(recursive=True)]}
    return {process for process in found if "java" in command(process)}


def command(process):
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it has ended meanwhile
        return ""


def commands(processes):
    return " ".join(map(command, processes))


def test_no_process_outlives_a_cluster(cluster):
    before = daemons()
    running = cluster(1, 1, "512m")
    assert running.master_url.startswith("spark://127.0.0.1:")
    processes = daemons() - before
    assert "deploy.master.Master" in commands(processes) and "deploy.worker.Worker" in commands(processes)
    running.stop()
    running.stop()
    assert running.master_url is None
    assert not daemons() - before
    _, left = psutil.wait_procs(processes, timeout=10)
    assert not [process for process in left if command(process)]


def test_a_cluster_listens_on_loopback_alone(cluster):
    before = daemons()
    cluster(1, 1, "512m")
    listening = {
        connection.laddr.ip.removeprefix("::ffff:")
        for process in daemons() - before
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


@pytest.mark.parametrize("which", ["master_port", "master_webui_port"])
def test_a_port_in_use_is_refused_before_anything_starts(cluster, taken_port, which):
    before = daemons()
    message = rf"embedded\.{which} = {taken_port} cannot be used on 127\.0\.0\.1: .* in use\. Set it to 0"
    with pytest.raises(UserError, match=message):
        cluster(1, 1, "512m", **{which: taken_port})
    assert daemons() == before


def test_the_port_zero_and_a_free_port_are_never_in_use(taken_port):
    require_free_port("127.0.0.1", 0, "port")
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    require_free_port("127.0.0.1", free, "port")


def test_a_cluster_that_does_not_start_in_time_leaves_nothing_behind(cluster):
    before = daemons()
    with pytest.raises(UserError, match=r"embedded master did not start within 0 s\. Its log .*master\.log"):
        cluster(1, 1, "512m", start_timeout_s=0.1)
    assert daemons() == before


def test_the_log_of_a_daemon_that_ends_at_once_is_quoted(tmp_path):
    broken = EmbeddedCluster(ParallelismSetting(1, 1, "512m"), tmp_path, tmp_path / "no_java")
    with pytest.raises(UserError, match=r"(?s)embedded master did not start.*no_java/bin/java"):
        broken.start()


def test_an_external_master_gives_executors_that_import_the_shipped_package(cluster, run_python, tmp_path):
    url = cluster(2, 1, "512m").master_url
    output = run_python(RUNTIME + REPORT, 2, 1, "512m", url, 60, tmp_path)
    assert "report: " in output, output
    report = json.loads(output.split("report: ")[1].splitlines()[0])
    assert report["effective"] == {
        "master": url,
        "embedded": False,
        "executors": 2,
        "cores": 2,
        "hosts": ["127.0.0.1"],
    }
    assert report["setting"] == "exec_2x1" and not report["oversubscribed"]
    assert report["properties"] == {
        "spark.cores.max": "2",
        "spark.executor.cores": "1",
        "spark.executor.memory": "512m",
        "spark.default.parallelism": "2",
        "spark.sql.shuffle.partitions": "2",
        "spark.driver.memory": "2g",
    }
    for where in report["where"]:
        assert "cifar_pipelines.zip" in Path(where).parts


@pytest.mark.parametrize(
    ("asked", "less", "needs"),
    [
        ((2, 1, "512m"), 1, "The setting exec_2x1 needs 2 free cores and 2 x 512m on the Workers."),
        ((1, 1, "1g"), 0, "The setting exec_1x1 needs 1 free cores and 1 x 1g on the Workers."),
    ],
)
def test_executors_that_the_master_cannot_give_are_an_error(
    cluster, run_python, tmp_path, asked, less, needs
):
    url = cluster(1, 1, "512m").master_url
    output = run_python(RUNTIME, *asked, url, 0.5, tmp_path)
    assert re.search(
        rf"refused: [0-{less}] of {less + 1} executors registered within 0 s on {url}\.", output
    ), output
    assert needs in output


def test_the_shared_runtime_has_what_it_asked_for(spark):
    record = spark.info.for_record()
    assert record["asked"] == {
        "cores_max": 2,
        "executor_cores": 1,
        "executor_memory_mb": 1024,
        "executors": 2,
    }
    assert record["effective"]["executors"] == record["effective"]["cores"] == 2
    assert record["effective"]["embedded"] and spark.info.start_up_s > 0
    assert spark.session.sparkContext.applicationId == record["application_id"]
    assert (Path(record["log_dir"]) / "master.log").is_file()
    conf = spark.session.sparkContext.getConf()
    for key, value in load_configuration()["spark"]["properties"].items():
        assert conf.get(key) == (str(value).lower() if isinstance(value, bool) else str(value)), key


def test_executors_compute_with_one_thread(spark):
    def threads(_):
        import os

        return [os.environ.get(key) for key in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")]

    assert spark.session.sparkContext.parallelize([0], 1).map(threads).collect() == [["1", "1"]]


def test_the_configuration_of_the_project_is_accepted():
    config = SparkConfig.from_config(load_configuration()["spark"])
    assert (config.master, config.embedded) == ("embedded", EmbeddedClusterConfig())
    given = load_configuration(runtime_params={"spark_master": "spark://host:7077"})["spark"]
    assert SparkConfig.from_config(given).master == "spark://host:7077"


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"masters": "embedded"}, r"Unknown option 'masters'\. .*options of conf/base/spark\.yml"),
        (
            {"embedded": {"port": 1}},
            r"Unknown option 'port'\. .*options of the block embedded of conf/base/spark\.yml",
        ),
        ({"master": "local[4]"}, r"spark_master is 'local\[4\]', but must be 'embedded' or .*ignores every"),
    ],
)
def test_a_wrong_spark_configuration_is_refused(block, message):
    with pytest.raises(UserError, match=message):
        SparkConfig.from_config(block)


@pytest.mark.parametrize(("embedded", "oversubscribed"), [(True, True), (False, False)])
def test_only_executors_on_the_host_of_the_driver_can_oversubscribe_it(embedded, oversubscribed):
    executors = ({"id": "0", "host": "a", "cores": 4}, {"id": "1", "host": "b", "cores": 4})
    info = ClusterInfo("exec_8x4", {}, "", embedded, executors, 7, 1.0, "", "", {})
    assert (info.cores, info.oversubscribed) == (8, oversubscribed)
    assert info.for_record()["effective"]["hosts"] == ["a", "b"]


def test_what_listens_but_is_no_master_is_an_error(lost_runtime):
    url, process = lost_runtime
    output, _ = process.communicate(timeout=180)
    # The reason depends on how far the start has come when Spark gives up.
    assert f"refused: No Spark session on {url}: " in output, output
    assert "Check that the Master runs" in output


# Spark ends a session whose Master does not answer in a thread of its own, while the runtime goes on to start.
STOPPED = """
from cifar_pipelines.spark import session
ship = session.ship_package

def end_and_ship(context):
    context._jsc.sc().stop()
    if {ships}:
        ship(context)

session.ship_package = end_and_ship
"""


@pytest.mark.parametrize("ships", [True, False])
def test_a_session_that_spark_gives_up_while_it_starts_is_an_error(cluster, run_python, tmp_path, ships):
    url = cluster(1, 1, "512m").master_url
    output = run_python(STOPPED.format(ships=ships) + RUNTIME, 1, 1, "512m", url, 60, tmp_path)
    assert f"refused: No Spark session on {url}: Spark gave up, since no Master answered. " in output, output


RESTORED = (
    """
import os, signal, sys
NAMES = "JAVA_HOME MKL_THREADING_LAYER PYSPARK_PYTHON PYSPARK_DRIVER_PYTHON SPARK_LOCAL_IP".split()
os.environ |= {"JAVA_HOME": "as it was"}
for name in NAMES[1:]:
    os.environ.pop(name, None)

def hooks():
    return {name: os.environ.get(name) for name in NAMES}, signal.getsignal(signal.SIGINT), sys.unraisablehook

before = hooks()
"""
    + RUNTIME
    + """
assert os.environ["PYSPARK_PYTHON"] == sys.executable and signal.getsignal(signal.SIGINT) == runtime._interrupt
try:
    runtime._interrupt()
except KeyboardInterrupt:
    assert sys.unraisablehook is not before[2]
runtime.stop()
for was, now in zip(before, hooks()):
    print("as before:", was == now)
"""
)


def test_a_runtime_puts_back_what_it_changed_in_the_process(run_python, tmp_path):
    output = run_python(RESTORED, 1, 1, "512m", "embedded", 60, tmp_path)
    assert re.findall("as before: .*", output) == ["as before: True"] * 3, output
