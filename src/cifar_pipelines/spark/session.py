"""A Spark session at a parallelism setting, on the embedded cluster or on one that is there already."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cifar_pipelines.common.configuration import PROJECT_PATH
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.words import counted
from cifar_pipelines.spark.class_archive import launcher_options, sharing_options
from cifar_pipelines.spark.cluster import EmbeddedCluster
from cifar_pipelines.spark.cluster_info import ClusterInfo
from cifar_pipelines.spark.jvm import SPARKS_LOGGING, end_driver, launch_driver, temporary_files
from cifar_pipelines.spark.master import GIVEN_UP, driver_address, no_session, refusals_explained
from cifar_pipelines.spark.package import ship_package
from cifar_pipelines.spark.process import (
    environment,
    foreign_variables,
    require_spark,
    spark_home,
    temporary_folder,
    text_variables,
)
from cifar_pipelines.spark.properties import algebra_variables, native_blas, spark_properties
from cifar_pipelines.spark.setting import ParallelismSetting, host_cores, setting_name, start_words
from cifar_pipelines.spark.spark_config import EMBEDDED, SparkConfig
from cifar_pipelines.spark.stall import StallWatch
from cifar_pipelines.spark.user_name import login_options

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

logger = logging.getLogger(__name__)

DRIVER_LOG = "driver.log"
TEMPORARY = "tmp"
_RECORDED_PROPERTIES = (
    *("spark.cores.max", "spark.default.parallelism", "spark.driver.memory", "spark.executor.cores"),
    *("spark.executor.memory", "spark.sql.shuffle.partitions"),
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
        self.log_dir = PROJECT_PATH / config.log_dir / f"{run_name}-{setting.name}"
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
            UserError: If Spark cannot start here, the Master cannot be reached, or fewer executors than asked
                for registered in time.
        """
        started = time.perf_counter()
        java_home = require_spark()
        self.log_dir.mkdir(parents=True, exist_ok=True)
        embedded = self.config.master == EMBEDDED
        try:
            self._change_process(java_home, embedded, on_step)
            cluster = self._start_cluster(java_home, on_step) if embedded else None
            master = cluster.master_url if cluster else self.config.master
            if not cluster:
                on_step(f"Connecting to {master} at {self.setting.name}.")
            with refusals_explained(None if embedded else master, self.log_dir / DRIVER_LOG):
                self.session = self._build_session(master, embedded, java_home)
                self._stack.callback(self._stop_session)
                if cluster:
                    cluster.await_worker()
                else:
                    self.watch = self._stack.enter_context(StallWatch(self.session, self.config.stall_timeout_s))
                executors = await_executors(self.setting.executors, self.config.executors_timeout_s, embedded)
        except BaseException:
            self.stop()
            raise
        self.info = self._describe(executors, embedded, time.perf_counter() - started)
        on_step(
            f"Ready after {self.info.start_up_s:.1f} s: {counted(len(executors), 'executor')} with {counted(self.info.cores, 'core')} "
            f"in all; application {self.info.application_id}, logs in {self.info.log_dir}."
        )
        return self.info

    def _start_cluster(self, java_home: Path, on_step: Callable[[str], None]) -> EmbeddedCluster:
        on_step(start_words(self.setting, host_cores()))
        cluster = EmbeddedCluster(self.setting, self.log_dir, java_home, self.config.embedded, self.jars)
        return self._stack.enter_context(cluster)

    def _describe(self, executors: tuple[dict[str, Any], ...], embedded: bool, start_up_s: float) -> ClusterInfo:
        context = self.session.sparkContext
        effective = dict(context.getConf().getAll())
        return ClusterInfo(
            setting=self.setting.name,
            asked=self.setting.asked(),
            master=context.master,
            embedded=embedded,
            executors=executors,
            host_cores=host_cores(),
            start_up_s=start_up_s,
            log_dir=os.path.relpath(self.log_dir),
            application_id=context.applicationId,
            properties={key: effective[key] for key in _RECORDED_PROPERTIES if key in effective},
        )

    def stop(self) -> None:
        """Stops the session and the embedded cluster; may be called twice."""
        self._stack.close()

    def _stop_session(self) -> None:
        if self.session is None:
            return
        session, self.session = self.session, None
        end_driver(session)

    def _interrupt(self, *_: object) -> None:
        """Answers Ctrl-C; what is raised inside a finaliser is lost, so the fact is kept as well."""
        self.interrupted = True
        # Every call under way would report its end, some of them by the root logger.
        logging.getLogger("py4j").setLevel(logging.CRITICAL)
        logging.getLogger().addFilter(_is_not_of_py4j)
        sys.unraisablehook = _report_unless_interrupted
        raise KeyboardInterrupt

    def _change_process(self, java_home: Path, embedded: bool, on_step: Callable[[str], None]) -> None:
        """Sets what a session needs in this process; all of it is put back when the runtime stops."""
        foreign = foreign_variables(embedded)
        if foreign:
            on_step(f"Not used, since the run has a Spark of its own: {', '.join(foreign)}.")
        variables = (
            foreign
            | text_variables()
            | {
                "SPARK_HOME": str(spark_home()),
                # PySpark launches the driver's JVM by this variable.
                "JAVA_HOME": str(java_home),
                "SPARK_LAUNCHER_OPTS": launcher_options(java_home),
                "PYSPARK_PYTHON": sys.executable,
                "PYSPARK_DRIVER_PYTHON": sys.executable,
            }
            | algebra_variables(self.config)
        )
        if embedded:
            variables["SPARK_LOCAL_IP"] = self.config.embedded.host
            variables["SPARK_DIST_CLASSPATH"] = os.pathsep.join(self.jars)
        self._stack.enter_context(environment(variables))
        self._stack.enter_context(temporary_folder(self.log_dir / TEMPORARY))
        self._stack.callback(setattr, sys, "unraisablehook", sys.unraisablehook)
        self._stack.callback(logging.getLogger().removeFilter, _is_not_of_py4j)
        if _in_main_thread():
            self._stack.callback(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT))
            signal.signal(signal.SIGINT, self._interrupt)

    def _build_session(self, master: str, embedded: bool, java_home: Path) -> "SparkSession":
        from pyspark.sql import SparkSession

        if (left := SparkSession.getActiveSession()) is not None:
            end_driver(left)  # or its Master and executors would be kept
        events = self.log_dir / "event_log"
        events.mkdir(exist_ok=True)
        sharing = sharing_options(java_home)
        folder = self.log_dir / TEMPORARY
        own = f"{temporary_files(folder)} {login_options(java_home, folder)}"
        if embedded:
            host = self.config.embedded.host
            driver = {"spark.driver.host": host, "spark.driver.bindAddress": host}
            jars, jvm_options = (), {"driver": sharing, "executor": f"{sharing} {own} {SPARKS_LOGGING}"}
        else:
            driver = driver_address(master, self.config.properties)
            jars, jvm_options = self.jars, {"driver": sharing, "executor": SPARKS_LOGGING}
        jvm_options["driver"] += f" {own}"
        properties = spark_properties(
            self.setting, self.config, self.run_name, events, driver, jars, native_blas(), jvm_options
        )
        launch_driver(properties | {"spark.master": master}, self.log_dir / DRIVER_LOG)
        session = SparkSession.builder.master(master).config(map=properties).getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
        if _in_main_thread():
            # PySpark has set its own, which calls the JVM from within a call to the JVM, which fails and hides it.
            signal.signal(signal.SIGINT, self._interrupt)
        if not embedded:
            ship_package(session.sparkContext)
        return session


def await_executors(executors: int, timeout_s: float, embedded: bool = False) -> tuple[dict[str, Any], ...]:
    """Waits until that many executors are registered with the run's session, on the embedded cluster or another.

    Returns:
        The executors, as `registered_executors` describes them.

    Raises:
        UserError: If fewer have registered in time, or Spark gave up the Master.
    """
    session = active_session()
    deadline = time.monotonic() + timeout_s
    registered: tuple[dict[str, Any], ...] = ()
    while time.monotonic() < deadline:
        if session.sparkContext._jsc.sc().isStopped():
            raise no_session(None if embedded else session.sparkContext.master, GIVEN_UP)
        registered = registered_executors(session)
        if len(registered) >= executors:
            return registered
        time.sleep(0.1)
    conf = session.sparkContext.getConf()
    name = setting_name(conf.get("spark.cores.max"), conf.get("spark.executor.cores"))
    if embedded:
        raise UserError(
            f"{len(registered)} of {counted(executors, 'executor')} started within {timeout_s:.0f} s. Their logs lie in the folder "
            f"work of the run's logs. If this host is busy or slow, raise executors_timeout_s in conf/base/spark.yml."
        )
    raise UserError(
        f"{len(registered)} of {counted(executors, 'executor')} registered within {timeout_s:.0f} s on "
        f"{session.sparkContext.master}. The setting {name} needs {conf.get('spark.cores.max')} free cores and {executors} x "
        f"{conf.get('spark.executor.memory')} on the Workers. Look at the Master's web page for what is free, choose a "
        "smaller setting, or raise executors_timeout_s in conf/base/spark.yml."
    )


def registered_executors(session: "SparkSession") -> tuple[dict[str, Any], ...]:
    """The live executors, the driver left out: id, host and cores of each."""
    live = [describe_executor(one) for one in list_executors(session, only_live=True) if one.totalCores() > 0]
    return tuple(sorted(live, key=lambda executor: int(executor["id"])))


def list_executors(session: "SparkSession", only_live: bool) -> list[Any]:
    """What the JVM holds of every executor, the driver left out."""
    listed = session.sparkContext._jsc.sc().statusStore().executorList(only_live)
    return [one for one in map(listed.apply, range(listed.size())) if one.id() != "driver"]


def describe_executor(executor: Any) -> dict[str, Any]:
    """The id, host and cores of one that `list_executors` returned."""
    return {"id": executor.id(), "host": executor.hostPort().rsplit(":", 1)[0], "cores": executor.totalCores()}


def active_session() -> "SparkSession":
    """The run's Spark session.

    Raises:
        RuntimeError: If none runs; a node that needs one carries the tag `spark`.
    """
    from pyspark.sql import SparkSession

    session = SparkSession.getActiveSession()
    if session is None:
        raise RuntimeError("No Spark session runs. Tag the node with 'spark', so that a session starts with the run.")
    return session


def _report_unless_interrupted(unraisable: Any) -> None:
    """Does not print where Ctrl-C met a finaliser; anything else that is lost is printed as ever."""
    if not isinstance(unraisable.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)


def _is_not_of_py4j(record: logging.LogRecord) -> bool:
    return "py4j" not in Path(record.pathname).parts


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
