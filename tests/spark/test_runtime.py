import os
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil
from tests.factories.processes import command, descendants_of, executors_of
from tests.factories.runtime import LIGHT

from cifar_pipelines.common.configuration import load_configuration


def test_the_shared_runtime_has_what_it_asked_for(spark):
    record = spark.info.for_record()
    assert record["asked"] == {"cores_max": 2, "executor_cores": 1, "executor_memory_mb": 1024, "executors": 2}
    assert record["effective"]["executors"] == record["effective"]["cores"] == 2
    assert record["effective"]["embedded"] and spark.info.start_up_s > 0
    assert spark.session.sparkContext.applicationId == record["application_id"]
    assert (Path(record["log_dir"]) / "master.log").is_file()
    conf = spark.session.sparkContext.getConf()
    for key, value in (load_configuration()["spark"]["properties"] | LIGHT).items():
        found, text = conf.get(key), str(value).lower() if isinstance(value, bool) else str(value)
        assert text in found.split() if key.endswith(".extraJavaOptions") else found == text, key


def test_all_tests_of_the_shared_runtime_go_to_one_process(spark, request):
    assert request.node.nodeid.endswith("@spark") == ("PYTEST_XDIST_WORKER" in os.environ)


def test_executors_compute_with_one_thread(spark):
    def threads(_):
        import os

        return [os.environ.get(key) for key in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")]

    assert spark.session.sparkContext.parallelize([0], 1).map(threads).collect() == [["1", "1"]]


def test_no_jvm_follows_the_log_configuration_that_bigdls_jar_brings_or_leaves_files_elsewhere(spark):
    jvms = [one for one in descendants_of(psutil.Process()) if Path(command(one).partition(" ")[0]).name == "java"]
    assert len(executors_of(jvms)) == 2 and len(jvms) >= 5  # the driver's, Master and Worker beside them
    own = Path(spark.info.for_record()["log_dir"]).resolve()
    seen = 0
    for jvm in jvms:
        # What a JVM starts has its command line until it begins its own, and soon ends.
        with suppress(psutil.NoSuchProcess):
            require_own_places(jvm, own)
            seen += 1
    assert seen >= 5


def require_own_places(jvm, own):
    line = " ".join(jvm.cmdline())
    assert "-Dlog4j2.configurationFile=" in line
    assert f"-Djava.io.tmpdir={own / 'tmp'}" in line and "-XX:-UsePerfData" in line
    unpacked = [Path(file.path) for file in jvm.memory_maps() if file.path.startswith(tempfile.gettempdir())]
    assert all(path.is_relative_to(own) for path in unpacked)
    opened = [Path(file.path) for file in jvm.open_files()]
    assert not [path for path in opened if path.suffix == ".log" and not path.is_relative_to(own)]
    assert not [path for path in opened if "sys:logFilename" in str(path)]
