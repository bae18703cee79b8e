import json
import os
import re
import signal
import socket
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from click.testing import CliRunner
from tests.factories.processes import finish, read_until, wait_until
from tests.factories.runtime import SMALL, START_RUNTIME

from cifar_pipelines import cli
from cifar_pipelines.common import guardian
from cifar_pipelines.common.configuration import PROJECT_PATH
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.spark.java import find_java_home
from cifar_pipelines.spark.run_file import write_run_file
from cifar_pipelines.submission import submit as room
from cifar_pipelines.submission.records import SubmissionRecord, submissions
from cifar_pipelines.submission.submit import Submission, check_run_name, run_submission

# Every import of the package leaves a line: the folder of the process, and from where it was imported.
MARK = """
import os
with open({file!r}, "a") as file:
    file.write(os.getcwd() + " " + __file__ + "\\n")
"""


@pytest.fixture
def listening():
    """The address of something that listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"spark://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture(scope="module", autouse=True)
def lost_runtime(tmp_path_factory):
    """A runtime that takes something else for a Master; Spark tries for a minute, beside the other tests."""
    server = socket.create_server(("127.0.0.1", 0))
    url = f"spark://127.0.0.1:{server.getsockname()[1]}"
    arguments = ["1", "1", "512m", url, "5", str(tmp_path_factory.mktemp("lost"))]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen([sys.executable, "-c", START_RUNTIME, *arguments], cwd=PROJECT_PATH, **streams) as process:
        yield url, process
        process.kill()
    server.close()


@pytest.fixture
def submission(listening):
    return Submission(listening, "roll_4711", ("ingestion", "features"), "exec_2x1", "train_size=60")


def test_what_is_right_is_accepted_and_becomes_a_command(submission):
    submission.check()
    assert submission.arguments() == [
        *("run", "--pipelines", "ingestion,features", "--env", "exec_2x1", "--params"),
        f"spark_master={submission.master},run_name=roll_4711,train_size=60",
    ]
    everything = Submission(submission.master, "roll_4711")
    everything.check()
    assert everything.arguments()[:2] == ["run", "--params"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"run_name": "roll 4711"}, r"'roll 4711', but must consist of letters, digits, - and _"),
        ({"run_name": "../roll"}, "but must consist of letters"),
        ({"pipelines": ("feature",)}, r"Unknown pipeline 'feature'\. Did you mean 'features'"),
        ({"environment": "exec_2x9"}, "exec_2x9: spark.cores.max = 2 is not divisible"),
        ({"params_text": "train_sizes=60"}, "Unknown parameter 'train_sizes'"),
        ({"params_text": "train_size"}, "every part must be name=value"),
        ({"params_text": "run_name=other"}, "run_name, which --run-name gives already"),
        ({"pipelines": ("spark_ml",), "params_text": "spark_ml.selected=forrest"}, "Unknown classifier"),
        ({"master": "local[2]"}, "but must be spark://host:port"),
        ({"master": "spark://a:1,b:1"}, "must be one address"),
    ],
)
def test_mistakes_are_found_before_anything_starts(submission, change, words):
    with pytest.raises(UserError, match=words):
        replace(submission, **change).check()


@pytest.mark.parametrize("name", ["roll_4711", "4711", "21CS30045", "_a", "a" * 64, "group-7", "017", "1e5"])
def test_legal_names(name):
    check_run_name(name)


@pytest.mark.parametrize("name", ["", "-a", "a.b", "a/b", "ä", "a" * 65, "a\n", "null"])
def test_illegal_names_and_one_that_is_read_as_no_name(name):
    with pytest.raises(UserError, match="run name"):
        check_run_name(name)


@pytest.fixture
def small_project(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "PROJECT_PATH", tmp_path)
    monkeypatch.setattr(room, "git_revision", lambda: None)
    return tmp_path


def pretend(monkeypatch, code):
    """Lets Python code stand for the kedro command."""
    original = room.guarded_kedro

    def guarded(arguments, project, log, environment):
        script = project / "kedro.py"
        script.write_text(code)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(project), *filter(None, sys.path)]))
        return original(arguments, project, log, environment)

    monkeypatch.setattr(room, "guarded_kedro", guarded)


@pytest.mark.parametrize(("status", "word"), [(0, "done"), (3, "failed")])
def test_output_is_shown_and_kept_and_the_status_passed_on(small_project, monkeypatch, submission, status, word):
    name = "roll_4711-2024-01-02T03.04.05.678Z-exec_2x1"
    run = f"Path('logs/{name}'), '2024', 'roll_4711', 'app-20240102030405-0007'"
    code = f"from pathlib import Path\nfrom cifar_pipelines.spark.run_file import write_run_file\nwrite_run_file({run})"
    pretend(monkeypatch, f"{code}\nprint('said')\nraise SystemExit({status})")
    write_run_file(small_project / "logs" / "roll_4711-of-another", "2023", "roll_4711", "app-of-another")
    shown = []
    record = run_submission(submission, shown.append)
    assert (record.status, record.exit_status) == (word, status)
    assert record.application_ids == ["app-20240102030405-0007"]
    assert record.spark_logs == [f"logs/{name}"]
    log = (small_project / record.log).read_bytes()
    assert b"".join(shown) == log and log.startswith(b"$ kedro run --pipelines ingestion,features --env exec_2x1")
    assert submissions(small_project, "roll_4711") == [record]
    assert record.log == f"logs/roll_4711/{record.time}/submit.log"


def test_ctrl_c_ends_the_run_and_is_recorded(small_project, monkeypatch, submission):
    pretend(monkeypatch, "import time\nprint('started', flush=True)\ntime.sleep(60)")

    def interrupt(text):
        if b"started" in text:
            raise KeyboardInterrupt

    record = run_submission(submission, interrupt)
    assert (record.status, record.exit_status) == ("interrupted", 130)
    assert submissions(small_project, "roll_4711") == [record]


def test_a_submission_whose_process_is_gone_does_not_run(small_project):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    host = socket.gethostname()
    fields = ("roll", "t", "spark://a:1", [], None, "", [], None, "logs/roll/t/submit.log")
    assert SubmissionRecord(*fields, host, ended.pid, "2024").state == "ended without a word"
    assert SubmissionRecord(*fields, host, os.getpid(), "2024").state == "running"
    assert SubmissionRecord(*fields, "elsewhere", ended.pid, "2024").state == "running"
    failed = SubmissionRecord(*fields, host, ended.pid, "2024", status="failed", exit_status=1)
    assert failed.state == "failed (1)"


def start_daemon(folder, host, main_class, *arguments):
    """Starts a Master or a Worker as docs/lab_cluster.md says, without the project's code on its import path."""
    import pyspark

    home = Path(pyspark.__file__).parent
    kept = ("PATH", "HOME", "JAVA_TOOL_OPTIONS")
    environment = {key: os.environ[key] for key in kept if key in os.environ} | {
        "SPARK_HOME": str(home),
        "JAVA_HOME": str(find_java_home()),
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": host,
        "SPARK_DAEMON_MEMORY": "256m",
    }
    folder.mkdir(parents=True, exist_ok=True)
    command = [home / "bin" / "spark-class", f"org.apache.spark.deploy.{main_class}", "--host", host]
    with (folder / "daemon.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", guardian.__file__, *command, "--webui-port", "0", *arguments],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )


def stop_daemon(process):
    process.stdin.close()
    process.wait(timeout=30)


def said(folder, pattern):
    """Waits until a daemon's log says something."""
    match = wait_until(lambda: re.search(pattern, (folder / "daemon.log").read_text(errors="replace")), 60)
    assert match, (folder / "daemon.log").read_text(errors="replace")
    return match


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    folder = tmp_path_factory.mktemp("master")
    process = start_daemon(folder, "127.0.0.1", "master.Master", "--port", "0")
    yield said(folder, r"Starting Spark master at (spark://\S+)")[1]
    stop_daemon(process)


@pytest.fixture
def start_workers(master, tmp_path):
    """Returns a function that starts Workers with one core each, at addresses of their own."""
    started = []

    def start(*hosts):
        for host in hosts:
            folder = tmp_path / host
            offer = ["-c", "1", "-m", "1g", "-d", str(folder / "work"), master]
            process = start_daemon(folder, host, "worker.Worker", *offer)
            started.append(SimpleNamespace(host=host, folder=folder, process=process))
        for worker in started:
            said(worker.folder, "Successfully registered with master")
        return started

    yield start
    for worker in started:
        stop_daemon(worker.process)


def kill(worker):
    """Kills the Worker itself; its executor is not killed with it."""
    (daemon,) = psutil.Process(worker.process.pid).children()
    assert "worker.Worker" in " ".join(daemon.cmdline())
    daemon.send_signal(signal.SIGKILL)


@pytest.fixture
def start_submit(start_kedro, master):
    chosen = ["--run-name", "roll_4711", "--params", SMALL]
    return lambda *more: start_kedro("submit", "--master", master, *chosen, *more)


@pytest.fixture
def type_in(project, monkeypatch):
    """Returns a function that types a command of ours in the copy of the project and returns what it prints."""
    for module in (cli, room):
        monkeypatch.setattr(module, "PROJECT_PATH", project)
    monkeypatch.chdir(project)
    return lambda *arguments: CliRunner().invoke(cli.cli, arguments).output


@pytest.fixture
def imports_of(project, tmp_path):
    """Returns a function that says from where a Worker's Python processes have imported the package."""
    file = tmp_path / "imports"
    file.touch()
    with (project / "src/cifar_pipelines/__init__.py").open("a") as package:
        package.write(MARK.format(file=str(file)))

    def imports(worker):
        lines = [line.split() for line in file.read_text().splitlines() if line.startswith(str(worker.folder))]
        return [imported for _, imported in lines]

    return imports


@pytest.mark.e2e
def test_a_submitted_run_that_loses_a_worker_goes_on_is_found_by_its_name_and_bundled(
    start_submit, type_in, project, start_workers, imports_of
):
    workers = start_workers("127.0.0.2", "127.0.0.3")
    run = start_submit("--pipelines", "ingestion,features", "--env", "exec_2x1")
    assert wait_until(lambda: all(map(imports_of, workers)) or run.poll() is not None, 120)
    kill(workers[0])
    output = finish(run)
    assert run.returncode == 0, output
    assert "2 executors with 2 cores in all; application" in " ".join(output.split())
    assert "Exit status: 0 (done)" in output
    application = re.search(r"^Application: (app-\d+-\d+) ", output, re.MULTILINE)[1]
    for worker in workers:  # both took part, with the package that was sent and no other
        assert (worker.folder / "work" / application).is_dir()
        assert all("cifar_pipelines.zip" in Path(file).parts for file in imports_of(worker))
    (record,) = submissions(project, "roll_4711")
    assert (record.status, lost_executors(project, record)) == ("done", 1)

    listed = type_in("logs", "roll_4711")
    log = re.search(rf"  done  {application}  (logs/roll_4711/\S+/submit\.log)$", listed, re.MULTILINE)[1]
    shown = type_in("logs", "roll_4711", "--show")
    assert (project / log).read_text() in shown and application in shown

    (folder,) = record.spark_logs
    packed = type_in("bundle", "roll_4711", "--output", "out/bundle.zip")
    assert "Wrote out/bundle.zip" in packed, packed
    with zipfile.ZipFile(project / "out/bundle.zip") as archive:
        names = archive.namelist()
        (features,) = [name for name in names if name.startswith("run_records/exec_2x1/")]
        content = json.loads(archive.read(features))
    assert content["parallelism"]["application_id"] == application
    assert content["parallelism"]["effective"]["hosts"] == ["127.0.0.2", "127.0.0.3"]
    assert {log, f"{folder}/run.log", f"{folder}/event_log/{application}", "MANIFEST.json"} <= set(names)
    assert "code/no_git/src/cifar_pipelines/cli.py" in names and "code/no_git/pyproject.toml" in names
    assert not [name for name in names if name.endswith((".parquet", ".zip", ".pyc"))]
    checked = type_in("bundle", "--check", "out/bundle.zip")
    assert f"all {len(names) - 1} files of roll_4711 are as written" in checked


def lost_executors(project, record):
    (events,) = project.glob(f"{record.spark_logs[0]}/event_log/app-*")
    return events.read_text().count("SparkListenerExecutorRemoved")


@pytest.mark.e2e
def test_a_run_that_loses_all_workers_ends_clearly(start_submit, project, start_workers):
    spark = project / "conf/base/spark.yml"
    spark.write_text(re.sub(r"stall_timeout_s: \d+", "stall_timeout_s: 6", spark.read_text()))
    (worker,) = start_workers("127.0.0.4")
    run = start_submit("--pipelines", "ingestion,features", "--env", "exec_1x1")
    seen = read_until(run, "Ready after")
    kill(worker)
    output = " ".join((seen + finish(run, 100)).split())
    assert "no task ran for 6 s" in output, output
    assert run.returncode == 1
    (record,) = submissions(project, "roll_4711")
    assert (record.status, lost_executors(project, record)) == ("failed", 1)


def test_where_no_master_answers_nothing_starts(type_in, project):
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"spark://127.0.0.1:{server.getsockname()[1]}"
    output = " ".join(type_in("submit", "--master", url, "--run-name", "roll_4711").split())
    assert f"Error: No Master answers at {url}: " in output and "Check that the Master runs" in output
    assert not (project / "logs").exists()


# The last test of the file, since Spark takes a minute to give up.
@pytest.mark.e2e
def test_what_listens_but_is_no_master_is_an_error(lost_runtime):
    url, process = lost_runtime
    output, _ = process.communicate(timeout=180)
    # The reason depends on how far the start has come when Spark gives up.
    assert f"refused: No Spark session on {url}: " in output, output
    assert "Check that the Master runs" in output
