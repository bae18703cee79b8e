"""The process of an executor that forks Spark's Python workers: Spark's own daemon, whose workers wait for nothing between tasks.

By Spark's own, each task waits and works for what has nothing to do with it:

- Spark sends a task in two small pieces, and the second leaves when the worker's kernel has acknowledged the first, which by default
  it puts off for 40 ms.
- Before a task Python looks anew at all that is on its path: of an archive, as Spark's core is one, it reads all names again, once for
  each package in it (36 ms).
- After a task Python collects garbage, for which it looks at every object that was made when torch and others were imported (100 ms).
"""

import gc
import os
import socket
import sys
import zipimport
from collections.abc import Callable
from typing import Any, BinaryIO

Work = Callable[[BinaryIO, BinaryIO], None]  # a task, read from the executor and answered


def serve() -> None:
    """Forks workers until the executor ends; what `python -m` with this module does."""
    from pyspark import daemon

    settle()
    daemon.worker_main = promptly(daemon.worker_main)
    daemon.manager()


def settle() -> None:
    """Lets this process and those that it forks look at archives once, and at what was imported in one collection alone."""
    # An archive that is sent later has a path of its own, so that nothing new is missed.
    zipimport.zipimporter.invalidate_caches = _nothing
    gc.callbacks.append(_KeepImported())


def promptly(work: Work) -> Work:
    """The same work on a connection on which neither side waits for an acknowledgement before it sends the rest."""

    def prompt(received: BinaryIO, sent: BinaryIO) -> None:
        with socket.socket(fileno=os.dup(received.fileno())) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if hasattr(socket, "TCP_QUICKACK"):  # Linux has it, and forgets it as soon as a worker answers
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        work(received, sent)

    return prompt


def _nothing(_: zipimport.zipimporter) -> None:
    """Does nothing: the archive has not changed."""


class _KeepImported:
    """Takes what is there after a collection out of later ones, where modules were imported since the last time."""

    def __init__(self) -> None:
        self._modules = 0

    def __call__(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "stop" and info["generation"] == 2 and len(sys.modules) > self._modules:
            gc.freeze()
            self._modules = len(sys.modules)


if __name__ == "__main__":
    serve()
