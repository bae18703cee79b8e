"""The embedded cluster: Spark's own standalone Master and Worker on loopback, for one run."""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.processes import end_guarded, start_guarded
from cifar_pipelines.spark.class_archive import launcher_options, sharing_options
from cifar_pipelines.spark.failures import last_error
from cifar_pipelines.spark.jvm import LIGHT_JVM, SPARKS_LOGGING, temporary_files
from cifar_pipelines.spark.process import loopback_card, spark_home
from cifar_pipelines.spark.setting import ParallelismSetting
from cifar_pipelines.spark.user_name import login_options

_MASTER_URL = re.compile(r"Starting Spark master at (spark://\S+)")
_WORKER_READY = re.compile(r"Successfully registered with master")


@dataclass(frozen=True)
class EmbeddedClusterConfig:
    """Where the embedded cluster listens.

    Attributes:
        host: Address to bind; loopback, so that no other machine can reach it.
        master_port: Port of the Master; 0 takes a free one.
        master_webui_port: Port of the Master's web page; 0 takes a free one.
        start_timeout_s: Seconds to wait for the Master and the Worker.
    """

    host: str = "127.0.0.1"
    master_port: int = 0
    master_webui_port: int = 0
    start_timeout_s: float = 60.0


def require_free_port(host: str, port: int, what: str) -> None:
    """Raises if a port that was asked for by number is taken; port 0 is always free."""
    if port == 0:
        return
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UserError(
                f"{what} = {port} cannot be used on {host}: {error.strerror}. Set it to 0 in conf/base/spark.yml "
                "to take a free port, or end the program that holds it."
            ) from None


class EmbeddedCluster:
    """Starts a Master and a Worker with as many cores as the setting asks for, and ends them.

    Use it as a context manager. No process outlives the Python process that started it: each daemon
    runs under a guardian that ends it when the pipe to this process closes.

    Args:
        setting: The parallelism setting; the Worker offers exactly its cores and memory, which may be
            more cores than the host has.
        log_dir: Folder for `master.log`, `worker.log` and the executors' logs in `work/`.
        java_home: Java runtime.
        config: Where to listen.
        jars: Further jars for the executors.
    """

    def __init__(
        self,
        setting: ParallelismSetting,
        log_dir: Path,
        java_home: Path,
        config: EmbeddedClusterConfig | None = None,
        jars: Sequence[str] = (),
    ) -> None:
        self.setting = setting
        self.log_dir = Path(log_dir)
        self.java_home = java_home
        self.config = config or EmbeddedClusterConfig()
        self.jars = jars
        self.master_url: str | None = None
        self._guardians: list[subprocess.Popen] = []

    def __enter__(self) -> "EmbeddedCluster":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the Master, then the Worker, for which `await_worker` waits: a session can start meanwhile.

        Raises:
            UserError: If a port is taken or the Master does not start in time; its log is named.
        """
        cfg = self.config
        require_free_port(cfg.host, cfg.master_port, "embedded.master_port")
        require_free_port(cfg.host, cfg.master_webui_port, "embedded.master_webui_port")
        self.log_dir.mkdir(parents=True, exist_ok=True)
        try:
            ports = ["--port", str(cfg.master_port), "--webui-port", str(cfg.master_webui_port)]
            self._spawn("master", "org.apache.spark.deploy.master.Master", ["--host", cfg.host, *ports])
            self.master_url = self._await("master", _MASTER_URL)[1]
            memory = f"{self.setting.executor_memory_mb * self.setting.executors}m"
            offer = ["-c", str(self.setting.cores_max), "-m", memory, "-d", str(self.log_dir / "work")]
            listen = ["--host", cfg.host, "--webui-port", "0"]
            self._spawn("worker", "org.apache.spark.deploy.worker.Worker", [*listen, *offer, self.master_url])
        except BaseException:
            self.stop()
            raise

    def await_worker(self) -> None:
        """Waits until the Worker has registered with the Master.

        Raises:
            UserError: If it does not start in time; its log is named.
        """
        self._await("worker", _WORKER_READY)

    def stop(self) -> None:
        """Ends the Worker, its executors and the Master; may be called twice."""
        end_guarded(*reversed(self._guardians))
        self._guardians.clear()
        self.master_url = None

    def _spawn(self, name: str, main_class: str, arguments: list[str]) -> None:
        home = spark_home()
        command = [str(home / "bin" / "spark-class"), main_class, *arguments]
        java_options = f"{LIGHT_JVM} {sharing_options(self.java_home)}"
        folder = Path(tempfile.gettempdir())  # that of the run, if the run has one
        own = f"{temporary_files(folder)} {login_options(self.java_home, folder)} {SPARKS_LOGGING}"
        environment = {
            **loopback_card(),
            "JAVA_HOME": str(self.java_home),
            "SPARK_HOME": str(home),
            "SPARK_LOCAL_IP": self.config.host,
            # The executors inherit the Worker's environment: same Python, same import path.
            "PYSPARK_PYTHON": sys.executable,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_DAEMON_JAVA_OPTS": f"{java_options} {own}",
            "SPARK_LAUNCHER_OPTS": launcher_options(self.java_home),
            # Behind Spark's own jars: the archive of classes is that of a class path that begins with them.
            "SPARK_DIST_CLASSPATH": os.pathsep.join(self.jars),
        }
        with (self.log_dir / f"{name}.log").open("wb") as log:
            self._guardians.append(start_guarded(command, log, environment))

    def _await(self, name: str, pattern: re.Pattern[str]) -> re.Match[str]:
        log = self.log_dir / f"{name}.log"
        deadline, within = time.monotonic() + self.config.start_timeout_s, ""
        while time.monotonic() < deadline:
            if match := pattern.search(log.read_text(encoding="utf-8", errors="replace")):
                return match
            if self._guardians[-1].poll() is not None:
                break
            time.sleep(0.05)
        else:
            within = f" within {self.config.start_timeout_s:.0f} s"
        cause = last_error(log.read_text(encoding="utf-8", errors="replace"))
        raise UserError(f"Spark's embedded {name} did not start{within}: {cause}. All of its log is in {log}.")
