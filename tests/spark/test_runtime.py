from pathlib import Path

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
        assert conf.get(key) == (str(value).lower() if isinstance(value, bool) else str(value)), key


def test_executors_compute_with_one_thread(spark):
    def threads(_):
        import os

        return [os.environ.get(key) for key in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")]

    assert spark.session.sparkContext.parallelize([0], 1).map(threads).collect() == [["1", "1"]]
