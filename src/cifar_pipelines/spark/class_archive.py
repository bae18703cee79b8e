"""Spark's classes in an archive of the JVM (class data sharing), which JVMs map instead of loading them one by one.

A run starts six JVMs or more, and each of them loads some ten thousand classes. `make install` makes the archive once;
without it everything works, and starts more slowly.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.whole_files import writing
from cifar_pipelines.spark.failures import last_error
from cifar_pipelines.spark.java import find_java_home
from cifar_pipelines.spark.jvm import LIGHT_JVM, NO_COUNTERS, jvm_option
from cifar_pipelines.spark.process import environment, foreign_variables

PATIENCE_S = 300
_WORK = Path(__file__).with_name("typical_work.py")
# An archive that does not fit the class path is left alone by the JVM; it would say so on the output of every process.
_QUIET = "-Xlog:cds=off -Xlog:cds+dynamic=off"


def archive_of(java_home: Path) -> Path:
    """Where the archive of a Java runtime lies: beside the one of Java's own classes."""
    return java_home / "lib" / "server" / "spark.jsa"


def sharing_options(java_home: Path) -> str:
    """The options by which a JVM uses the archive; none where there is no archive."""
    archive = archive_of(java_home)
    return f"{jvm_option(f'-XX:SharedArchiveFile={archive}')} {_QUIET}" if archive.exists() else ""


def launcher_options(java_home: Path) -> str:
    """The options of the JVM that Spark's scripts ask for a command; the shell splits them at every space."""
    sharing = sharing_options(java_home)
    return " ".join((LIGHT_JVM, NO_COUNTERS, "" if '"' in sharing else sharing)).rstrip()


def make_archive(java_home: Path) -> Path:
    """Lets one JVM do what runs typically do, and archives the classes that it loaded.

    Returns:
        The archive.

    Raises:
        UserError: If this Java runtime makes no archive; runs start without one, only more slowly.
    """
    import pyspark

    archive = archive_of(java_home)
    submit = str(Path(pyspark.__file__).parent / "bin" / "spark-submit")
    try:
        with tempfile.TemporaryDirectory() as folder, writing(archive) as partial:
            # The archive of Java's own classes, on which that of Spark's is laid; the wheel comes without.
            _run([str(java_home / "bin" / "java"), "-Xshare:dump"], java_home)
            options = f"{LIGHT_JVM} {NO_COUNTERS} {jvm_option(f'-XX:ArchiveClassesAtExit={partial}')} {_QUIET}"
            _run([submit, "--driver-java-options", options, str(_WORK), folder], java_home)
    except subprocess.TimeoutExpired as error:
        raise _no_archive(java_home, f"it took longer than {PATIENCE_S} s") from error
    except subprocess.CalledProcessError as error:
        raise _no_archive(java_home, last_error(error.stdout)) from error
    except OSError as error:
        raise _no_archive(java_home, str(error)) from error
    return archive


def _no_archive(java_home: Path, reason: str) -> UserError:
    return UserError(
        f"The Java runtime {java_home} made no archive of Spark's classes: {reason}. Runs work without it."
    )


def _run(command: list[str], java_home: Path) -> None:
    variables = {"JAVA_HOME": str(java_home), "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "encoding": "utf-8", "timeout": PATIENCE_S}
    with environment(foreign_variables(embedded=True) | variables):
        subprocess.run(command, check=True, **options)


if __name__ == "__main__":
    made = make_archive(find_java_home())
    sys.stdout.write(
        f"Spark's classes are archived, so that runs start faster: {made.stat().st_size / 2**20:.0f} MiB.\n"
    )
