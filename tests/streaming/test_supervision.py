import sys
from contextlib import contextmanager

import pytest
from tests.factories.processes import wait_until

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.processes import end_guarded, start_guarded
from cifar_pipelines.streaming import supervision
from cifar_pipelines.streaming.supervision import SupervisedReceiver, served


@pytest.fixture
def receiver_of(tmp_path, monkeypatch):
    """A supervised receiver whose process runs a piece of code instead of the command."""

    def make(code):
        @contextmanager
        def guarded(arguments, project, log, environment):
            process = start_guarded([sys.executable, "-S", "-c", code, *arguments], log, environment)
            try:
                yield process
            finally:
                end_guarded(process)

        monkeypatch.setattr(supervision, "guarded_kedro", guarded)
        return SupervisedReceiver(["127.0.0.1:6100"], tmp_path / "landing", 8, 300, tmp_path / "logs" / "receiver.log")

    return make


def test_it_is_the_command_that_people_type(receiver_of, tmp_path):
    with receiver_of("import sys; print(sys.argv[1:])") as receiver:
        assert wait_until(lambda: receiver.has_ended, 10)
        receiver.require_well()
    said = (tmp_path / "logs" / "receiver.log").read_text()
    wanted = [
        "stream",
        "receive",
        "127.0.0.1:6100",
        "--into",
        str(tmp_path / "landing"),
        "--max-backlog",
        "8",
        "--away",
        "300",
    ]
    assert said == f"{wanted}\n"


def test_a_receiver_that_was_killed_is_started_again_a_few_times(receiver_of, monkeypatch):
    monkeypatch.setattr(supervision, "RESTARTS", 2)
    monkeypatch.setattr(supervision, "LOOK_S", 0.05)
    with receiver_of("import os; os.kill(os.getpid(), 9)") as receiver:
        assert wait_until(lambda: receiver._failure, 10)
        with pytest.raises(
            UserError,
            match=r"The receiver ended 3 times with status 247, never after 60 s or more; its log is .*receiver.log",
        ):
            receiver.require_well()
        assert receiver.restarts == 2


def test_what_has_run_well_for_a_while_may_be_killed_again(receiver_of, monkeypatch):
    monkeypatch.setattr(supervision, "RESTARTS", 1)
    monkeypatch.setattr(supervision, "LOOK_S", 0.05)
    monkeypatch.setattr(supervision, "WELL_S", 0.0)
    with receiver_of("import os; os.kill(os.getpid(), 9)") as receiver:
        first = receiver._process.pid
        assert not wait_until(lambda: receiver._failure, 1.5)
        assert receiver._process.pid != first and receiver.restarts == 1


def test_a_mistake_is_said_in_the_receivers_own_words_and_not_repeated(receiver_of):
    code = "import os; open(os.environ['CIFAR_PIPELINES_ERROR_FILE'], 'w').write('The backlog is 0.'); os._exit(1)"
    with receiver_of(code) as receiver:
        assert wait_until(lambda: receiver._failure, 10)
        with pytest.raises(UserError, match="The backlog is 0"):
            receiver.require_well()
        assert receiver.restarts == 0


def test_it_ends_with_the_block(receiver_of):
    with receiver_of("import time; time.sleep(600)") as receiver:
        process = receiver._process
        assert process.poll() is None
    assert process.poll() is not None


def test_a_server_is_the_command_that_people_type_and_ends_with_the_block(receiver_of, tmp_path):
    code = "import sys, time; print(sys.argv[1:], 'Serving on 127.0.0.1:6123: 9 images', flush=True); time.sleep(600)"
    receiver_of(code)
    log = tmp_path / "logs" / "server.log"
    with served("source=animals,seed=1", 60.0, log) as server:
        assert server.address == "127.0.0.1:6123"
        server.require_well()
    wanted = ["stream", "serve", "--port", "0", "--rate", "60", "--batch-size", "128"]
    wanted += ["--params", "source=animals,seed=1"]
    assert log.read_text().startswith(str(wanted))


def test_a_server_that_ends_before_its_time_says_why(receiver_of, tmp_path):
    code = (
        "import os, time; print('Serving on 127.0.0.1:6123: 9 images', flush=True); time.sleep(0.5); "
        "open(os.environ['CIFAR_PIPELINES_ERROR_FILE'], 'w').write('An image is gone.'); os._exit(1)"
    )
    receiver_of(code)
    with served("x=1", 60.0, tmp_path / "server.log") as server:
        assert wait_until(lambda: server._process.poll() is not None, 10)
        with pytest.raises(UserError, match=r"server of the stream has ended with status 1. An image is gone"):
            server.require_well()


def test_a_server_that_does_not_start_says_why(receiver_of, tmp_path):
    receiver_of("import os; open(os.environ['CIFAR_PIPELINES_ERROR_FILE'], 'w').write('No such source.'); os._exit(1)")
    with (
        pytest.raises(UserError, match=r"server of the stream did not start. No such source"),
        served("x=1", 1.0, tmp_path / "server.log"),
    ):
        pass
