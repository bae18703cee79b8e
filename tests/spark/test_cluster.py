import json
import re
import socket
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from tests.factories.processes import command
from tests.factories.runtime import START_RUNTIME

from cifar_pipelines.common import guardian
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.spark.cluster import EmbeddedCluster, EmbeddedClusterConfig, require_free_port
from cifar_pipelines.spark.java import find_java_home
from cifar_pipelines.spark.setting import ParallelismSetting

pytestmark = pytest.mark.e2e

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


def make_cluster(folder, *setting, **config):
    return EmbeddedCluster(ParallelismSetting(*setting), folder, find_java_home(), EmbeddedClusterConfig(**config))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A Master and a Worker with two cores and one gigabyte, and their processes."""
    before = daemons()
    with make_cluster(tmp_path_factory.mktemp("cluster"), 2, 1, "512m") as running:
        running.await_worker()
        yield SimpleNamespace(url=running.master_url, processes=daemons() - before)


@pytest.fixture
def taken_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def daemons():
    """The processes of embedded clusters: the children of this process that guard a daemon, and theirs.

    Not the `pgrep` that an executor starts every now and then to measure its memory.
    """
    guardians = [p for p in psutil.Process().children() if guardian.__file__ in command(p)]
    found = {process for parent in guardians for process in [parent, *parent.children(recursive=True)]}
    return {process for process in found if "java" in command(process)}


def commands(processes):
    return " ".join(map(command, processes))


def test_no_process_outlives_a_cluster(tmp_path):
    before = daemons()
    running = make_cluster(tmp_path, 1, 1, "512m")
    running.start()
    running.await_worker()
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
    listening = {
        connection.laddr.ip.removeprefix("::ffff:")
        for process in cluster.processes
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


@pytest.mark.parametrize("which", ["master_port", "master_webui_port"])
def test_a_port_in_use_is_refused_before_anything_starts(tmp_path, taken_port, which):
    before = daemons()
    message = rf"embedded\.{which} = {taken_port} cannot be used on 127\.0\.0\.1: .* in use\. Set it to 0"
    with pytest.raises(UserError, match=message):
        make_cluster(tmp_path, 1, 1, "512m", **{which: taken_port}).start()
    assert daemons() == before


def test_the_port_zero_and_a_free_port_are_never_in_use(taken_port):
    require_free_port("127.0.0.1", 0, "port")
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    require_free_port("127.0.0.1", free, "port")


def test_a_cluster_that_does_not_start_in_time_leaves_nothing_behind(tmp_path):
    before = daemons()
    with pytest.raises(
        UserError, match=r"embedded master did not start within 0 s: .* All of its log is in .*master\.log"
    ):
        make_cluster(tmp_path, 1, 1, "512m", start_timeout_s=0.1).start()
    assert daemons() == before


def test_the_log_of_a_daemon_that_ends_at_once_is_quoted(tmp_path):
    broken = EmbeddedCluster(ParallelismSetting(1, 1, "512m"), tmp_path, tmp_path / "no_java")
    with pytest.raises(
        UserError,
        match=r"embedded master did not start: .*no_java/bin/java: No such file.* All of its log is in .*master\.log",
    ):
        broken.start()


def test_an_external_master_gives_executors_that_import_the_shipped_package(cluster, run_python, tmp_path):
    output = run_python(START_RUNTIME + REPORT, 2, 1, "512m", cluster.url, 60, tmp_path)
    assert "report: " in output, output
    report = json.loads(output.split("report: ")[1].splitlines()[0])
    assert report["effective"] == {
        "master": cluster.url,
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
    ("asked", "registered", "needs"),
    [
        ((4, 2, "512m"), "[01] of 2", "The setting exec_4x2 needs 4 free cores and 2 x 512m on the Workers."),
        ((1, 1, "2g"), "0 of 1", "The setting exec_1x1 needs 1 free cores and 1 x 2g on the Workers."),
    ],
)
def test_executors_that_the_master_cannot_give_are_an_error(cluster, run_python, tmp_path, asked, registered, needs):
    output = run_python(START_RUNTIME, *asked, cluster.url, 0.5, tmp_path)
    refusal = rf"refused: {registered} executors? registered within 0 s on {cluster.url}\."
    assert re.search(refusal, output), output
    assert needs in output


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
    output = run_python(STOPPED.format(ships=ships) + START_RUNTIME, 1, 1, "512m", cluster.url, 60, tmp_path)
    assert f"refused: No Spark session on {cluster.url}: Spark gave up, since no Master answered. " in output, output


RESTORED = (
    """
import ctypes, os, pwd, signal, socket, sys
from contextlib import suppress
# Where this user may: one that has no name, on a host whose name does not resolve.
user, group = os.getuid(), os.getgid()
if ctypes.CDLL(None).unshare(0x10000000) == 0:  # CLONE_NEWUSER
    for name, text in (("uid_map", f"2000000123 {user} 1"), ("setgroups", "deny"), ("gid_map", f"2000000123 {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
if ctypes.CDLL(None).unshare(0x04000000) == 0:  # CLONE_NEWUTS
    socket.sethostname("nowhere.invalid")
NAMES = "JAVA_HOME MKL_THREADING_LAYER PYSPARK_PYTHON PYSPARK_DRIVER_PYTHON SPARK_LOCAL_IP TMPDIR".split()
# Another Spark, on a host that shall not be used either.
FOREIGN = {
    "SPARK_HOME": "/opt/nope", "SPARK_CONF_DIR": sys.argv[-1], "PYSPARK_SUBMIT_ARGS": "--master local[2]",
    "HADOOP_CONF_DIR": sys.argv[-1], "GLOO_SOCKET_IFNAME": "eth99",
}
with open(sys.argv[-1] + "/spark-defaults.conf", "w") as file:
    file.write("spark.extraListeners no.such.Listener\\n")
with open(sys.argv[-1] + "/core-site.xml", "w") as file:
    file.write("<configuration><property><name>fs.defaultFS</name><value>hdfs://nope</value></property></configuration>")
os.environ |= {"JAVA_HOME": "as it was"} | FOREIGN
for name in NAMES[1:]:
    os.environ.pop(name, None)

def hooks():
    return {name: os.environ.get(name) for name in (*NAMES, *FOREIGN)}, signal.getsignal(signal.SIGINT), sys.unraisablehook

before = hooks()
taken = []
for port in range(4040, 4057):
    with suppress(OSError):  # then it is
        taken.append(socket.create_server(("127.0.0.1", port)))
"""
    + START_RUNTIME
    + """
assert os.environ["PYSPARK_PYTHON"] == sys.executable and signal.getsignal(signal.SIGINT) == runtime._interrupt
try:
    runtime._interrupt()
except KeyboardInterrupt:
    assert sys.unraisablehook is not before[2]
def card(_):
    return [os.environ["GLOO_SOCKET_IFNAME"], os.environ["TMPDIR"]]
context = runtime.session.sparkContext
found = context.parallelize([0], 1).map(card).collect()[0]
file_system = context._jvm.org.apache.hadoop.fs.FileSystem.get(context._jsc.hadoopConfiguration()).getUri().toString()
login = context._jvm.org.apache.hadoop.security.UserGroupInformation.getLoginUser().getShortUserName()
print("logged in:", login in (f"user{os.getuid()}", os.environ.get("HADOOP_USER_NAME"), *(one.pw_name for one in pwd.getpwall())))
print("port:", int(context.uiWebUrl.rpartition(":")[2]) not in {one.getsockname()[1] for one in taken})
print("found:", found[0] != "eth99", found[1] == str(runtime.log_dir / "tmp") == os.environ["TMPDIR"], file_system)
runtime.stop()
print("left:", sorted(file.name for file in runtime.log_dir.iterdir() if file.is_dir()))
for was, now in zip(before, hooks()):
    print("as before:", was == now)
"""
)


def test_a_runtime_uses_no_other_spark_and_puts_back_what_it_changed_in_the_process(run_python, tmp_path):
    output = run_python(RESTORED, 1, 1, "512m", "embedded", 60, tmp_path)
    assert re.findall("as before: .*", output) == ["as before: True"] * 3, output
    assert "found: True True file:///" in output and "port: True" in output, output
    assert "logged in: True" in output, output
    assert "left: ['event_log', 'work']" in output, output
