"""A Spark session at a parallelism setting, on the embedded cluster or on one that is there already."""

import logging
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.spark.cluster import LIGHT_JVM, EmbeddedCluster
from cifar_pipelines.spark.java import find_java_home
from cifar_pipelines.spark.master import GIVEN_UP, driver_address, no_session, refusals_explained
from cifar_pipelines.spark.package import ship_package
from cifar_pipelines.spark.setting import ParallelismSetting, host_cores
from cifar_pipelines.spark.spark_config import EMBEDDED, ClusterInfo, SparkConfig
from cifar_pipelines.spark.stall import StallWatch

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

logger = logging.getLogger(__name__)

_RECORDED_PROPERTIES = (
    "spark.cores.max",
    "spark.executor.cores",
    "spark.executor.memory",
    "spark.default.parallelism",
    "spark.sql.shuffle.partitions",
    "spark.driver.memory",
)


class SparkRuntime:
    """A running Spark session at one setting; `stop` ends everything it started.

    Args:
        setting: The parallelism setting.
        config: Contents of `spark.yml`.
        run_name: Name of the Spark application and of the log folder.
        jars: Further jars for driver and executors, at paths that both see.
    """

    def __init__(
        self, setting: ParallelismSetting, config: SparkConfig, run_name: str, jars: Sequence[str] = ()
    ) -> None:
        self.setting = setting
        self.jars = jars
        self.config = config
        self.run_name = run_name
        self.log_dir = Path(config.log_dir).resolve() / f"{run_name}-{setting.name}"
        self.session: SparkSession | None = None
        self.info: ClusterInfo | None = None
        self.interrupted = False
        self.watch: StallWatch | None = None
        self._stack = ExitStack()

    def __enter__(self) -> "SparkRuntime":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, on_step: Callable[[str], None] = logger.info) -> ClusterInfo:
        """Starts the cluster if it is the embedded one, then the session, and waits for the executors.

        Args:
            on_step: Called with a sentence at every step.

        Returns:
            What was effective.

        Raises:
            UserError: If there is no Java, the Master cannot be reached, or fewer executors than asked
                for registered in time.
        """
        started = time.perf_counter()
        java_home = find_java_home()
        log_dir = self.log_dir
        log_dir.mkdir(parents=True, exist_ok=True)
        try:
            embedded = self.config.master == EMBEDDED
            if embedded:
                on_step(
                    f"Starting Spark at {self.setting.name}: {self.setting.executors} executor(s) with "
                    f"{self.setting.executor_cores} core(s) and {self.setting.executor_memory} each."
                )
                cluster = EmbeddedCluster(self.setting, log_dir, java_home, self.config.embedded)
                master = self._stack.enter_context(cluster).master_url
            else:
                master = self.config.master
                on_step(f"Connecting to {master} at {self.setting.name}.")
            with refusals_explained(master):
                self.session = self._build_session(master, embedded, java_home, log_dir)
                self._stack.callback(self._stop_session)
                if embedded:
                    cluster.await_worker()
                else:
                    watch = StallWatch(self.session, self.config.stall_timeout_s)
                    self.watch = self._stack.enter_context(watch)
                executors = await_executors(self.setting.executors, self.config.executors_timeout_s)
        except BaseException:
            self.stop()
            raise
        context = self.session.sparkContext
        self.info = ClusterInfo(
            setting=self.setting.name,
            asked=self.setting.asked(),
            master=context.master,
            embedded=embedded,
            executors=executors,
            host_cores=host_cores(),
            start_up_s=time.perf_counter() - started,
            log_dir=os.path.relpath(log_dir),
            application_id=context.applicationId,
            properties={
                key: value for key, value in sorted(context.getConf().getAll()) if key in _RECORDED_PROPERTIES
            },
        )
        on_step(
            f"{len(executors)} executor(s) with {self.info.cores} core(s) in all are ready after "
            f"{self.info.start_up_s:.1f} s; application {context.applicationId}, logs in {self.info.log_dir}."
        )
        return self.info

    def stop(self) -> None:
        """Stops the session and the embedded cluster; may be called twice."""
        self._stack.close()

    def _stop_session(self) -> None:
        if self.session is None:
            return
        gateway = self.session.sparkContext._gateway
        self.session.stop()
        self.session = None
        # PySpark keeps its JVM for the next session of the process; ours takes nothing over from the last one.
        from pyspark import SparkContext

        gateway.shutdown()
        if (process := getattr(gateway, "proc", None)) is not None:
            process.stdin.close()
            process.wait(timeout=30)
        SparkContext._gateway = None
        SparkContext._jvm = None

    def _interrupt(self, *_: object) -> None:
        """Answers Ctrl-C; what is raised inside a finaliser is lost, so the fact is kept as well."""
        self.interrupted = True
        logging.getLogger("py4j").setLevel(logging.CRITICAL)  # every call under way would report its end
        sys.unraisablehook = _report_unless_interrupted
        raise KeyboardInterrupt

    def _build_session(self, master: str, embedded: bool, java_home: Path, log_dir: Path) -> "SparkSession":
        # PySpark launches the driver's JVM by this environment variable.
        os.environ["JAVA_HOME"] = str(java_home)
        # The driver's share of the algebra is small: a second thread of MKL would only spin for work.
        os.environ["MKL_THREADING_LAYER"] = "SEQUENTIAL"
        if embedded:
            os.environ["SPARK_LOCAL_IP"] = self.config.embedded.host
        os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
        from pyspark.sql import SparkSession

        if SparkSession.getActiveSession() is not None:
            # getOrCreate would keep the old session's master and executors.
            SparkSession.getActiveSession().stop()
        events = log_dir / "event_log"
        events.mkdir(exist_ok=True)
        cores, host = str(self.setting.cores_max), self.config.embedded.host
        if embedded:
            driver = {"spark.driver.host": host, "spark.driver.bindAddress": host}
        else:
            driver = driver_address(master, self.config.properties)
        properties = {
            "spark.app.name": self.run_name,
            "spark.eventLog.dir": events.as_uri(),
            "spark.sql.warehouse.dir": (Path(tempfile.gettempdir()) / "spark-warehouse").as_uri(),
            # Partitions follow the cores; Spark's own default of 200 is for clusters of hundreds of cores.
            "spark.sql.shuffle.partitions": cores,
            "spark.default.parallelism": cores,
            **{
                key: str(value).lower() if isinstance(value, bool) else str(value)
                for key, value in self.config.properties.items()
            },
            **self.setting.spark_conf(),
            **driver,
        }
        quiet = f"-Dlog4j2.configurationFile={(Path(__file__).parent / 'log4j2.properties').as_uri()}"
        options = _native_blas()
        # The driver schedules and adds up: compiling its code to the last would take cores from the executors.
        for key, value in {
            "spark.driver.extraJavaOptions": f"{LIGHT_JVM} {quiet} {options}",
            "spark.executor.extraJavaOptions": f"{_collector(self.setting.executor_cores)} {options}",
        }.items():
            properties[key] = f"{properties.get(key, '')} {value}".strip()
        if self.jars:
            for side in ("driver", "executor"):
                properties[f"spark.{side}.extraClassPath"] = os.pathsep.join(self.jars)
        builder = SparkSession.builder.master(master)
        for key, value in properties.items():
            builder = builder.config(key, value)
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
        if threading.current_thread() is threading.main_thread():
            # PySpark's handler of Ctrl-C calls the JVM from within a call to the JVM, which fails and hides it.
            signal.signal(signal.SIGINT, self._interrupt)
        if not embedded:
            ship_package(session.sparkContext)
        return session


def await_executors(executors: int, timeout_s: float) -> tuple[dict[str, Any], ...]:
    """Waits until that many executors are registered with the run's session.

    Returns:
        The executors, as `registered_executors` describes them.

    Raises:
        UserError: If fewer have registered in time, or Spark gave up the Master.
    """
    session = active_session()
    deadline = time.monotonic() + timeout_s
    found: tuple[dict[str, Any], ...] = ()
    while time.monotonic() < deadline:
        if session.sparkContext._jsc.sc().isStopped():
            raise no_session(session.sparkContext.master, GIVEN_UP)
        found = registered_executors(session)
        if len(found) >= executors:
            return found
        time.sleep(0.1)
    conf = session.sparkContext.getConf()
    name = f"exec_{conf.get('spark.cores.max')}x{conf.get('spark.executor.cores')}"
    raise UserError(
        f"{len(found)} of {executors} executors registered within {timeout_s:.0f} s on "
        f"{session.sparkContext.master}. The setting {name} needs {conf.get('spark.cores.max')} free cores and {executors} x "
        f"{conf.get('spark.executor.memory')} on the Workers. Look at the Master's web page for what is free, choose a "
        "smaller setting, or raise executors_timeout_s in conf/base/spark.yml."
    )


def registered_executors(session: "SparkSession") -> tuple[dict[str, Any], ...]:
    """The live executors, the driver left out: id, host and cores of each."""
    listed = session.sparkContext._jsc.sc().statusStore().executorList(True)
    found = []
    for i in range(listed.size()):
        executor = listed.apply(i)
        if executor.id() != "driver" and executor.totalCores() > 0:
            found.append(
                {
                    "id": executor.id(),
                    "host": executor.hostPort().rsplit(":", 1)[0],
                    "cores": executor.totalCores(),
                }
            )
    return tuple(sorted(found, key=lambda executor: int(executor["id"])))


def active_session() -> "SparkSession":
    """The run's Spark session.

    Raises:
        RuntimeError: If none runs; a node that needs one carries the tag `spark`.
    """
    from pyspark.sql import SparkSession

    session = SparkSession.getActiveSession()
    if session is None:
        raise RuntimeError(
            "No Spark session runs. Tag the node with 'spark', so that a session starts with the run."
        )
    return session


def _report_unless_interrupted(unraisable: Any) -> None:
    """Does not print where Ctrl-C met a finaliser; anything else that is lost is printed as ever."""
    if not isinstance(unraisable.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)


def _collector(cores: int) -> str:
    """The garbage collector of an executor: one thread per core, and no more heap than the data need."""
    return "-XX:+UseSerialGC" if cores == 1 else f"-XX:+UseParallelGC -XX:ParallelGCThreads={cores}"


def _native_blas() -> str:
    """The Java option that lets Spark ML multiply with Intel's MKL, where its wheel is installed."""
    found = sorted(Path(sys.prefix).glob("lib/libmkl_rt.so*"))
    return f"-Ddev.ludovic.netlib.blas.nativeLibPath={found[-1]}" if found else ""
