import os
import socket
import subprocess
import sys

import pytest

from cifar_pipelines.spark.python_daemon import promptly
from cifar_pipelines.spark.python_tasks import on_every_core

LOOK = """
import gc, zipimport
from cifar_pipelines.spark.python_daemon import settle
{change}
gc.collect()
import colorsys
gc.collect()
frozen = gc.get_freeze_count()
gc.collect()
print(zipimport.zipimporter.invalidate_caches.__name__, frozen > 0, gc.get_freeze_count() == frozen)
"""


@pytest.mark.parametrize(("change", "said"), [("settle()", "_nothing True True"), ("", "invalidate_caches False True")])
def test_a_process_that_is_settled_keeps_what_it_knows_of_archives_and_modules(change, said):
    look = [sys.executable, "-c", LOOK.format(change=change)]
    assert subprocess.run(look, capture_output=True, text=True, check=True).stdout.strip() == said


@pytest.fixture
def connection():
    """Two ends of a connection on loopback."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as one,
        server.accept()[0] as other,
    ):
        yield one, other


def test_the_connection_of_a_task_waits_for_no_acknowledgement_and_stays_open(connection):
    executor, worker = connection

    def work(received, sent):
        assert worker.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        sent.write(received.readline())
        sent.flush()

    with worker.makefile("rb") as received, worker.makefile("wb") as sent:
        for task in (b"one\n", b"other\n"):
            executor.sendall(task)
            promptly(work)(received, sent)
            assert executor.recv(100) == task


def test_what_a_task_raises_is_raised(connection):
    def work(received, sent):
        raise SystemExit(-1)  # by which Spark's worker says that it is of no more use

    with connection[1].makefile("rb") as received, pytest.raises(SystemExit):
        promptly(work)(received, received)


def test_workers_of_an_application_are_forked_by_it(spark):
    def parent():
        with open(f"/proc/{os.getppid()}/cmdline") as file:  # noqa: PTH123 - pathlib is not there
            return file.read().split("\0")

    found = on_every_core(spark.session, 2, parent)
    assert all("cifar_pipelines.spark.python_daemon" in command for command in found)
