import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.spark import jvm
from cifar_pipelines.spark.jvm import temporary_files
from cifar_pipelines.spark.properties import algebra_variables, spark_properties
from cifar_pipelines.spark.setting import ParallelismSetting
from cifar_pipelines.spark.spark_config import SparkConfig

DRIVER = {"spark.driver.host": "127.0.0.1"}


def properties(setting=(8, 2, "1g"), given=None, **more):
    config = SparkConfig(properties=given or {})
    return spark_properties(ParallelismSetting(*setting), config, "name", Path("/logs/events"), DRIVER, **more)


def test_a_setting_becomes_its_three_properties_and_the_number_of_partitions():
    found = properties()
    assert found["spark.cores.max"] == "8" and found["spark.executor.cores"] == "2"
    assert found["spark.executor.memory"] == "1g"
    assert found["spark.default.parallelism"] == found["spark.sql.shuffle.partitions"] == "8"
    assert found["spark.app.name"] == "name" and found["spark.eventLog.dir"] == "file:///logs/events"
    assert found["spark.driver.host"] == "127.0.0.1"


def test_what_the_configuration_says_counts_more_than_defaults_and_less_than_the_setting():
    found = properties(given={"spark.default.parallelism": 3, "spark.cores.max": 1, "spark.ui.enabled": True})
    assert found["spark.default.parallelism"] == "3" and found["spark.cores.max"] == "8"
    assert found["spark.ui.enabled"] == "true"


def test_an_executor_collects_garbage_with_as_many_threads_as_it_has_cores():
    key = "spark.executor.extraJavaOptions"
    assert properties((2, 1, "1g"))[key] == "-Xms128m -XX:+UseSerialGC"
    assert "-XX:ParallelGCThreads=4" in properties((8, 4, "1g"))[key]
    assert properties((2, 1, "1g"), {key: "-Da=b"})[key] == "-Da=b -Xms128m -XX:+UseSerialGC"


def test_a_native_library_is_named_to_both_sides():
    found = properties(blas=Path("/lib/libmkl_rt.so"))
    for side in ("driver", "executor"):
        assert "nativeLibPath=/lib/libmkl_rt.so" in found[f"spark.{side}.extraJavaOptions"]
        assert "nativeLibPath" not in properties()[f"spark.{side}.extraJavaOptions"]


def test_a_path_with_a_space_is_one_option():
    found = properties(blas=Path("/my lib/libmkl_rt.so"))
    assert '"-Ddev.ludovic.netlib.blas.nativeLibPath=/my lib/libmkl_rt.so"' in found["spark.executor.extraJavaOptions"]
    assert temporary_files(Path("/my run/tmp")).startswith('"-Djava.io.tmpdir=/my run/tmp" ')
    assert temporary_files(Path("/run/tmp")).startswith("-Djava.io.tmpdir=/run/tmp ")


def test_data_lie_on_a_disk_unless_the_configuration_says_otherwise():
    key = "spark.hadoop.fs.defaultFS"
    assert properties()[key] == "file:///"
    assert properties(given={key: "hdfs://lab"})[key] == "hdfs://lab"


def test_jars_are_on_both_class_paths():
    assert properties(jars=["a.jar", "b.jar"])["spark.executor.extraClassPath"] == "a.jar:b.jar"
    assert not [key for key in properties() if key.endswith("extraClassPath")]


def test_all_properties_of_the_project_are_text():
    config = SparkConfig.from_config(load_configuration()["spark"])
    found = spark_properties(ParallelismSetting(2, 1, "1g"), config, "name", Path("/logs"), DRIVER)
    assert set(config.properties) <= set(found)
    assert all(isinstance(value, str) for value in found.values())
    assert found["spark.speculation"] == "false"


def test_a_jvm_that_does_not_end_in_time_is_killed(monkeypatch):
    monkeypatch.setattr(jvm, "END_S", 0.05)
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdin=subprocess.PIPE)
    gateway = SimpleNamespace(shutdown=lambda: None, proc=process)
    monkeypatch.setattr("pyspark.SparkContext._gateway", None)
    monkeypatch.setattr("pyspark.SparkContext._jvm", None)
    jvm.end_driver(SimpleNamespace(sparkContext=SimpleNamespace(_gateway=gateway), stop=lambda: None))
    assert process.returncode == -signal.SIGKILL


def test_the_driver_computes_algebra_as_executors_do_and_torch_keeps_its_threads_there():
    config = SparkConfig.from_config(load_configuration()["spark"])
    assert algebra_variables(config) == {"MKL_THREADING_LAYER": "SEQUENTIAL", "MKL_ENABLE_INSTRUCTIONS": "AVX512_E4"}
