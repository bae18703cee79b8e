"""A small session for looking at tables where no run is under way: in a notebook, or in `kedro ipython`."""

import atexit
import sys
import tempfile
from pathlib import Path

from cifar_pipelines.spark.class_archive import sharing_options
from cifar_pipelines.spark.jvm import LIGHT_JVM, end_driver, launch_driver, temporary_files
from cifar_pipelines.spark.process import environment, foreign_variables, require_spark, spark_home, text_variables
from cifar_pipelines.spark.properties import LOGGING
from cifar_pipelines.spark.user_name import login_options

HOST = "127.0.0.1"


def ensure_session() -> None:
    """Starts a session in this process if it has none: Java of the wheel, on loopback; nothing is timed on it."""
    from pyspark.sql import SparkSession

    if SparkSession.getActiveSession() is not None:
        return
    java_home = require_spark()
    folder = tempfile.TemporaryDirectory(prefix="cifar_pipelines-")
    options = f"{LIGHT_JVM} -Dlog4j2.configurationFile={LOGGING.as_uri()} {sharing_options(java_home)}"
    own = f"{temporary_files(Path(folder.name))} {login_options(java_home, Path(folder.name))}"
    properties = {
        "spark.master": "local[*]",
        "spark.driver.host": HOST,
        "spark.driver.bindAddress": HOST,
        "spark.driver.extraJavaOptions": f"{options} {own}",
        "spark.hadoop.fs.defaultFS": "file:///",
        "spark.local.dir": folder.name,
        "spark.sql.warehouse.dir": folder.name,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    variables = {"JAVA_HOME": str(java_home), "SPARK_HOME": str(spark_home()), "PYSPARK_PYTHON": sys.executable}
    with environment(foreign_variables(embedded=True) | text_variables() | variables | {"SPARK_LOCAL_IP": HOST}):
        launch_driver(properties, Path(folder.name) / "driver.log")
        session = SparkSession.builder.config(map=properties).getOrCreate()
    atexit.register(_end, session, folder)


def _end(session: object, folder: tempfile.TemporaryDirectory) -> None:
    from pyspark import SparkContext

    if session.sparkContext is SparkContext._active_spark_context:  # or a run has ended it meanwhile
        end_driver(session)
    folder.cleanup()
