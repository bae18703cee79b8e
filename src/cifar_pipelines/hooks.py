"""What happens around a run: configuration checked, Spark started when it is needed, results summed up."""

import atexit
import logging
import os
import shutil
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines

from cifar_pipelines.common import configuration, whole_files
from cifar_pipelines.common.configuration import PROJECT_PATH
from cifar_pipelines.common.disk import disk_error, disk_errors_explained
from cifar_pipelines.common.errors import UserError, mistake_behind
from cifar_pipelines.common.json_folder import json_file
from cifar_pipelines.common.own_code import CodeError, told, whole
from cifar_pipelines.common.places import place
from cifar_pipelines.common.resolvers import slug
from cifar_pipelines.datasets.catalog import behind_dataset, not_moved
from cifar_pipelines.datasets.table_locks import lock_tables, tables_of
from cifar_pipelines.preflight import check_blocks, check_inputs_exist
from cifar_pipelines.spark.environment import check_environment, setting_under
from cifar_pipelines.spark.failures import spark_failure
from cifar_pipelines.spark.process import require_own_pyspark, require_spark
from cifar_pipelines.spark.run_context import RunContext
from cifar_pipelines.spark.run_file import write_run_file
from cifar_pipelines.spark.run_log import RunLog

if TYPE_CHECKING:
    from cifar_pipelines.records.run_record import RunRecord

logger = logging.getLogger(__name__)

SPARK_TAG = "spark"
BIGDL_TAG = "bigdl"  # needs BigDL's jars as well
APPLICATIONS = "applications"  # the dataset of where the time of every run went


class ConfigurationHooks:
    """Checks the parameters and keeps them for pipelines whose shape depends on them."""

    @hook_impl
    def after_context_created(self, context: Any) -> None:
        """Refuses an unknown environment and wrong parameters, and remembers the parameters."""
        loader = context.config_loader
        configuration.follow(loader)
        check_environment(loader.env)
        configuration.check_runtime_params(loader.runtime_params or {}, loader)
        parameters = loader["parameters"]  # which reads the files
        configuration.set_run_parameters(parameters)
        check_blocks(pipelines, parameters)

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Forgets the parameters of the run."""
        self._forget()

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Forgets the parameters of the run."""
        self._forget()

    def _forget(self) -> None:
        configuration.set_run_parameters(None)
        configuration.follow(None)


class SparkHooks:
    """Starts Spark for the first node that needs it, and ends it with the run, however that ends."""

    def __init__(self) -> None:
        self._loader: Any = None
        self._runtime: Any = None
        self._context: RunContext | None = None
        self._pipeline: Any = None
        self._catalog: Any = None
        self._waiting: set[str] = set()  # names of nodes that need Spark and have not run
        self._log: RunLog | None = None
        self._failed: str | None = None  # name of the node that an error came from
        self._moved: tuple[str, str] | None = None  # dataset that is read or written now, and which of the two
        self._thread: threading.Thread | None = None
        self._stack = ExitStack()  # what is put back when the run ends
        atexit.register(self._stop)

    @hook_impl
    def after_context_created(self, context: Any) -> None:
        """Keeps the configuration; also called for commands that run nothing."""
        self._loader = context.config_loader

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Any, catalog: Any) -> None:
        """Checks the parallelism setting, Java and the inputs, before anything starts."""
        require_own_pyspark()
        self._thread, self._failed, self._moved = threading.current_thread(), None, None
        self._stop()  # an earlier run of this process may have been refused
        # Paths of the configuration are relative to it, wherever the command is typed.
        self._stack.callback(os.chdir, Path.cwd())
        os.chdir(PROJECT_PATH)
        with disk_errors_explained():
            written = tables_of(pipeline.all_outputs(), catalog)
            self._stack.enter_context(lock_tables(written, tables_of(pipeline.inputs(), catalog)))
        check_inputs_exist(pipeline, catalog)
        self._pipeline, self._catalog, setting = pipeline, catalog, None
        self._waiting = {node.name for node in pipeline.nodes if SPARK_TAG in node.tags}
        if self._waiting:
            from cifar_pipelines.engines.bigdl import bigdl_jars
            from cifar_pipelines.spark.session import SparkRuntime
            from cifar_pipelines.spark.spark_config import SparkConfig

            setting = setting_under(run_params["env"], self._loader)
            require_spark()
            config = SparkConfig.from_config(self._loader["spark"])
            name = "-".join(slug(part) for part in (config.run_name, run_params["run_id"]) if part)
            jars = bigdl_jars() if any(BIGDL_TAG in node.tags for node in pipeline.nodes) else []
            self._runtime = SparkRuntime(setting, config, name, jars)
            with disk_errors_explained():
                self._log = RunLog(self._runtime.log_dir / "run.log")
        self._context = RunContext(run_params["run_id"], setting=setting)
        catalog["run_context"].save(self._context)

    @hook_impl
    def before_dataset_loaded(self, dataset_name: str, node: Any) -> None:
        """Starts Spark for the first node with the tag `spark`, and ends it for a node that reads where its time went.

        Jobs carry the name of their node in Spark's web pages.
        """
        self._prepare(dataset_name, node)
        self._moved, self._failed = (dataset_name, "read"), node.name

    def _prepare(self, dataset_name: str, node: Any) -> None:
        if self._context is None:
            return
        if dataset_name == APPLICATIONS and self._context.cluster is not None:
            if not self._waiting:
                self._runtime.stop()  # which makes its event log whole
            self._explain()
        if SPARK_TAG not in node.tags:
            return
        if threading.current_thread() is not self._thread:
            raise UserError(
                "Nodes that use Spark run one after the other, because each has all executors: leave out --async, and --runner."
            )
        if self._context.cluster is None:
            cluster = self._context.cluster = self._runtime.start()
            run_name = self._runtime.config.run_name
            write_run_file(self._runtime.log_dir, self._context.run_id, run_name, cluster.application_id)
        self._runtime.session.sparkContext.setJobDescription(node.name)

    @hook_impl
    def before_dataset_saved(self, dataset_name: str, node: Any) -> None:
        """Notes what is written, and by which node."""
        self._moved, self._failed = (dataset_name, "written"), node.name

    @hook_impl
    def before_node_run(self) -> None:
        """Notes that all is read; ends the run if Ctrl-C was pressed and its exception got lost in a finaliser."""
        self._moved = self._failed = None
        if self._runtime is not None and self._runtime.interrupted:
            raise KeyboardInterrupt

    @hook_impl
    def after_node_run(self, node: Any) -> None:
        """Notes which nodes need Spark still."""
        self._waiting.discard(node.name)

    @hook_impl
    def on_node_error(self, node: Any) -> None:
        """Notes which node an error came from."""
        self._failed = node.name

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Ends Spark, and says where the time went."""
        self._stop()

    @hook_impl
    def on_pipeline_error(self, error: Exception) -> None:
        """Ends Spark, frees a mistake of the user from what Kedro wrapped around it, and tells one in code in three lines."""
        watch = self._runtime.watch if self._runtime is not None else None
        failure = spark_failure(error)  # now, because the JVM has the text
        cause = mistake_behind(error)
        log = self._kept(failure.text if failure is not None else whole(error), cause, failure is not None)
        nothing_started = self._context is None or self._context.cluster is None
        self._stop(drop_log=cause is not None and nothing_started)
        if isinstance(cause, CodeError):
            raise self._in_node(str(cause), log) from None
        if cause is not None and cause is not error:
            raise cause
        if cause is None and watch is not None and watch.reason is not None:
            raise UserError(watch.reason) from None
        if cause is None and (full := disk_error(error)):
            raise full from None
        if cause is None and self._moved is not None:
            why = failure.reason if failure is not None else told(behind_dataset(error))
            raise self._in_node(not_moved(self._catalog, *self._moved, why), log) from None
        if cause is None and failure is not None and log is not None:
            raise self._in_node(failure.reason, log) from None
        if cause is None and self._failed is not None:
            raise self._in_node(told(error), log) from None

    def _kept(self, text: str, cause: UserError | None, of_spark: bool) -> str | None:
        """Writes all that is known of an error into the log of the run, or into one of its own; returns where it is."""
        if self._log is not None:
            if cause is None or of_spark or isinstance(cause, CodeError):
                self._log.write(text)
            return os.path.relpath(self._log.baseFilename)
        if self._failed is None or (cause is not None and not isinstance(cause, CodeError)):
            return None
        file = PROJECT_PATH / "logs" / f"{self._context.run_id if self._context else 'run'}-error.log"
        with disk_errors_explained():
            whole_files.write_text(file, text)
        return os.path.relpath(file)

    def _in_node(self, what: str, log: str | None) -> UserError:
        """The error to raise for one in code: the node, the cause, and where the rest is."""
        node = f"The node {self._failed} failed." if self._failed else "The run failed."
        return UserError("\n".join(filter(None, [node, what, f"All of it: {log}" if log else ""])))

    def _stop(self, drop_log: bool = False) -> None:
        """Ends Spark; the log of a mistake that was found before Spark started would hold what the terminal shows."""
        if self._runtime is not None:
            was_running = self._runtime.session is not None
            self._runtime.stop()
            if was_running:
                self._explain()
            if drop_log:
                shutil.rmtree(self._runtime.log_dir, ignore_errors=True)
            else:
                logger.info("Logs of this run: %s", os.path.relpath(self._runtime.log_dir))
            self._runtime = None
        if self._log is not None:
            self._log.close()
            self._log = None
        self._stack.close()

    def _explain(self) -> None:
        """Saves where the time went, by Spark's event log; one that cannot be read never fails the run."""
        from cifar_pipelines.event_log.application import application_record
        from cifar_pipelines.event_log.reader import find_event_log
        from cifar_pipelines.records.job_groups import lost_workers, measured_groups

        if self._context is None or (cluster := self._context.cluster) is None:
            return
        log_file = find_event_log(self._runtime.log_dir / "event_log", cluster.application_id)
        if log_file is None:
            return
        run_id = self._context.run_id
        name = f"{cluster.setting}/{run_id}"
        try:
            records = _saved_records(self._catalog, run_id)
            content = application_record(
                log_file, run_id, cluster.setting, measured_groups(records), lost_workers(records)
            )
            self._catalog.save(APPLICATIONS, {name: content})
        except Exception as error:  # whatever a log may hold: the results of the run are there, and stay
            logger.warning(
                "Where the time went is not known, because the event log %s could not be read: %s",
                os.path.relpath(log_file), error or type(error).__name__,
            )  # fmt: skip
            return
        logger.info("Where the time went: %s", json_file(place(APPLICATIONS), name))


def _saved_records(catalog: Any, run_id: str) -> list["RunRecord"]:
    """The run records that this run has saved, each in a folder of its version; one that failed has saved only some."""
    from cifar_pipelines.records.shelf import read_records

    loaders = {name: load for name, load in catalog.load("run_records").items() if run_id in name.split("/")}
    return list(read_records(loaders)[0].values())


class SummaryHooks:
    """Prints, at the end of a run, what it found, where that is, and how long each step took."""

    def __init__(self) -> None:
        self._started: dict[str, float] = {}
        self._seconds: dict[str, float] = {}

    @hook_impl
    def before_node_run(self, node: Any) -> None:
        """Starts the node's clock."""
        self._started[node.name] = time.perf_counter()

    @hook_impl
    def after_node_run(self, node: Any) -> None:
        """Stops the node's clock."""
        self._seconds[node.name] = time.perf_counter() - self._started[node.name]

    @hook_impl
    def after_pipeline_run(self, pipeline: Any, catalog: Any) -> None:
        """Prints the summary."""
        from cifar_pipelines.terminal.run import print_summary

        print_summary(pipeline, catalog, self._seconds)
