import errno
import fcntl
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from kedro.io import DatasetError
from kedro.pipeline import node, pipeline
from py4j.protocol import Py4JError

from cifar_pipelines.common.configuration import PROJECT_PATH
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.own_code import CodeError
from cifar_pipelines.datasets.catalog import Catalog
from cifar_pipelines.hooks import SparkHooks
from cifar_pipelines.spark.run_log import RunLog

TEXT = ": org.apache.spark.SparkException: Job aborted.\n\tat a.B(C.java:1)\nCaused by: java.io.IOException: No such block\n\tat"


class Runtime:
    """A runtime whose JVM has the text of an error until it is stopped."""

    session = watch = None

    def __init__(self, folder):
        self.log_dir = folder
        self.stopped = False

    def stop(self):
        self.stopped = True

    def error(self):
        runtime = self

        class JvmError(Py4JError):
            def __str__(self):
                assert not runtime.stopped
                return TEXT

        return JvmError()


@pytest.fixture
def hooks(tmp_path):
    hooks = SparkHooks()
    hooks._runtime = Runtime(tmp_path)
    hooks._log = RunLog(tmp_path / "logs" / "run.log")
    yield hooks
    hooks._stop()


def test_an_error_of_spark_is_one_sentence_and_all_of_it_is_in_the_log(hooks, tmp_path):
    hooks.on_node_error(SimpleNamespace(name="features.extract"))
    told = r"^The node features\.extract failed\.\nIOException: No such block\.\nAll of it: .*run\.log$"
    with pytest.raises(UserError, match=told):
        hooks.on_pipeline_error(hooks._runtime.error())
    assert TEXT in (tmp_path / "logs" / "run.log").read_text()


def test_a_disk_that_is_full_is_one_sentence(hooks):
    with pytest.raises(UserError, match=r"^/x/features cannot be written: .*Free some space"):
        hooks.on_pipeline_error(OSError(errno.ENOSPC, "No space left on device", "/x/features"))


def test_a_table_that_cannot_be_read_is_node_place_and_log(hooks, tmp_path):
    file = tmp_path / "manifest.json"
    file.write_text("{")
    hooks._catalog = Catalog.from_config({"manifest": {"type": "json.JSONDataset", "filepath": str(file)}})
    hooks.before_dataset_loaded("manifest", SimpleNamespace(name="ingestion.index", tags=set()))
    with pytest.raises(DatasetError) as error:
        hooks._catalog.load("manifest")
    with pytest.raises(UserError) as told:
        hooks.on_pipeline_error(error.value)
    node, cause, log = str(told.value).splitlines()
    assert node == "The node ingestion.index failed." and log.startswith("All of it: ")
    assert "manifest.json cannot be read: JSONDecodeError" in cause


def test_a_result_that_cannot_be_written_is_told_likewise(hooks):
    hooks._catalog = Catalog.from_config({"scores": {"type": "MemoryDataset"}})
    hooks.before_dataset_saved("scores", SimpleNamespace(name="judge"))
    with pytest.raises(
        UserError, match=r"The node judge failed\.\nThe dataset scores cannot be written: TypeError: no JSON"
    ):
        hooks.on_pipeline_error(TypeError("no JSON"))


def test_a_run_stands_in_the_project_and_holds_the_tables_it_writes_until_it_ends(hooks, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = tmp_path / "data" / "images"
    hooks._catalog = None
    catalog = Catalog.from_config(
        {
            "images": {"type": "cifar_pipelines.datasets.TableFolderDataset", "path": str(table)},
            "run_context": {"type": "MemoryDataset"},
        }
    )
    hooks.before_pipeline_run(
        {"env": None, "run_id": "now"}, pipeline([node(lambda: None, None, "images", name="write")]), catalog
    )
    lock = os.open(table.with_name(".images.lock"), os.O_RDONLY)
    try:
        assert Path.cwd() == PROJECT_PATH and catalog.load("run_context").run_id == "now"
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        hooks._stop()
        assert Path.cwd() == tmp_path
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    finally:
        os.close(lock)


def test_an_error_outside_of_nodes_stays_as_it_is(hooks):
    hooks.on_pipeline_error(ZeroDivisionError())


def _bad_network(tmp_path):
    """An error out of a file of the package."""
    file = tmp_path / "cifar_pipelines" / "networks" / "own.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("def forward(images):\n    return images['nothing']\n")
    names = {}
    exec(compile(file.read_text(), str(file), "exec"), names)
    try:
        names["forward"]({})
    except KeyError as error:
        return error


def test_a_mistake_in_own_code_is_three_lines_node_cause_and_log(hooks, tmp_path):
    error = _bad_network(tmp_path)
    hooks.on_node_error(SimpleNamespace(name="bigdl_cnn.own.train"))
    with pytest.raises(UserError) as told:
        hooks.on_pipeline_error(error)
    node, cause, log = str(told.value).splitlines()
    assert node == "The node bigdl_cnn.own.train failed."
    assert cause == "KeyError: 'nothing' (networks/own.py, line 2, in forward)"
    assert log.startswith("All of it: ") and "return images['nothing']" in (tmp_path / "logs" / "run.log").read_text()


def test_a_mistake_in_code_that_was_told_already_gets_node_and_log(hooks):
    hooks.on_node_error(SimpleNamespace(name="bigdl_cnn.own.train"))
    error = RuntimeError("wrapped")
    error.__cause__ = CodeError("Training stopped. KeyError: 'nothing'")
    with pytest.raises(UserError) as told:
        hooks.on_pipeline_error(error)
    assert str(told.value).splitlines()[1] == "Training stopped. KeyError: 'nothing'"
    assert len(str(told.value).splitlines()) == 3


def test_without_a_log_a_mistake_gets_one_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr("cifar_pipelines.hooks.PROJECT_PATH", tmp_path)
    hooks = SparkHooks()
    hooks.on_node_error(SimpleNamespace(name="comparison.plot_cost"))
    with pytest.raises(UserError, match=r"The node comparison\.plot_cost failed"):
        hooks.on_pipeline_error(ZeroDivisionError("division by zero"))
    (log,) = (tmp_path / "logs").iterdir()
    assert "ZeroDivisionError: division by zero" in log.read_text()


def test_a_rule_that_was_broken_comes_before_what_spark_says_of_it(hooks):
    error = hooks._runtime.error()
    error.__cause__ = UserError("The rule.")
    with pytest.raises(UserError, match=r"^The rule\.$"):
        hooks.on_pipeline_error(error)


def test_spark_does_not_start_in_another_thread_than_that_of_the_run(hooks):
    hooks._context, hooks._thread = SimpleNamespace(cluster=None), None
    with pytest.raises(UserError, match="leave out --async"):
        hooks.before_dataset_loaded("images", SimpleNamespace(tags={"spark"}))


def test_a_log_on_a_full_disk_does_not_end_the_run(tmp_path):
    log = RunLog(tmp_path / "run.log")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    log.stream = SimpleNamespace(write=full, flush=full, close=full)
    log.write("text")
    log.close()
