"""How long `kedro registry list` takes as a whole process, and that it starts no JVM."""

import subprocess
import sys
import threading
import time

import psutil

from benchmarks.result import Bar, Result
from benchmarks.workload import Step
from cifar_pipelines.common.configuration import PROJECT_PATH
from cifar_pipelines.common.errors import UserError

NAME = "registry_list"
BAR = Bar(3, at_least=False)
COMMAND = [sys.executable, "-m", "kedro", "registry", "list"]

_POLL_S = 0.1


def measure(repeats: int, step: Step) -> Result:
    """Runs the command and watches its child processes for a JVM.

    Args:
        repeats: How often to run it.
        step: Called with a sentence at every step.
    """
    seconds, jvms = [], 0
    for repeat in range(repeats):
        step(f"kedro registry list, round {repeat + 1} of {repeats}.")
        wall_s, started_jvm = _run_watched()
        seconds.append(wall_s)
        jvms += started_jvm
    note = f"It started a JVM in {jvms} of {repeats} runs." if jvms else "It started no JVM."
    return Result(NAME, "s", seconds, bar=BAR, notes=[note], holds=not jvms)


def _run_watched() -> tuple[float, bool]:
    started = time.perf_counter()
    with subprocess.Popen(
        COMMAND, cwd=PROJECT_PATH, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        watcher = _JvmWatcher(process.pid)
        watcher.start()
        try:
            errors = process.communicate()[1]
        except BaseException:
            process.kill()
            raise
    wall_s = time.perf_counter() - started
    watcher.join()
    if process.returncode:
        raise UserError(f"{' '.join(COMMAND[1:])} failed: {errors.strip()[-500:]}")
    return wall_s, watcher.found


class _JvmWatcher(threading.Thread):
    """Looks for a descendant named java until the process ends."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self.found = False

    def run(self) -> None:
        try:
            process = psutil.Process(self._pid)
            while process.status() != psutil.STATUS_ZOMBIE:
                names = (child.name() for child in process.children(recursive=True))
                self.found |= any(name.startswith("java") for name in names)
                time.sleep(_POLL_S)
        except psutil.NoSuchProcess:
            return
