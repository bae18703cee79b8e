"""Runs one command and ends it, with all its descendants, when the parent is gone.

The parent holds the write end of this process's standard input. However the parent ends, be it by
SIGKILL, the pipe closes, and this process ends the command's process group. It is started in a session
of its own, so that Ctrl-C in a terminal reaches the parent alone, which then ends things in order.
"""

import os
import signal
import subprocess
import sys
import threading
import time

GRACE_S = 5.0


def _end_group(child: subprocess.Popen) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(0, signal.SIGKILL)  # this process included


def main() -> None:
    """Runs `sys.argv[1:]` until it ends or standard input closes."""
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    threading.Thread(target=lambda: os._exit(child.wait() & 0xFF), daemon=True).start()
    while os.read(0, 1024):
        pass
    _end_group(child)


if __name__ == "__main__":
    main()
