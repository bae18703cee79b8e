import errno
from types import SimpleNamespace

import pytest
from py4j.protocol import Py4JError

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.hooks import SparkHooks, _RunLog

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
    hooks._log = _RunLog(tmp_path / "logs" / "run.log")
    yield hooks
    hooks._stop()


def test_an_error_of_spark_is_one_sentence_and_all_of_it_is_in_the_log(hooks, tmp_path):
    with pytest.raises(UserError, match=r"^IOException: No such block\. All that Spark says is in .*run\.log\.$"):
        hooks.on_pipeline_error(hooks._runtime.error())
    assert TEXT in (tmp_path / "logs" / "run.log").read_text()


def test_a_disk_that_is_full_is_one_sentence(hooks):
    with pytest.raises(UserError, match=r"^/x/features cannot be written: .*Free some space"):
        hooks.on_pipeline_error(OSError(errno.ENOSPC, "No space left on device", "/x/features"))


def test_an_error_of_ours_stays_as_it_is(hooks):
    hooks.on_pipeline_error(ZeroDivisionError())


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
    log = _RunLog(tmp_path / "run.log")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    log.stream = SimpleNamespace(write=full, flush=full, close=full)
    log.write("text")
    log.close()
