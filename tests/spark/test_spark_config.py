import pytest

from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.spark.cluster import EmbeddedClusterConfig
from cifar_pipelines.spark.cluster_info import ClusterInfo
from cifar_pipelines.spark.spark_config import SparkConfig


def test_the_configuration_of_the_project_is_accepted():
    config = SparkConfig.from_config(load_configuration()["spark"])
    assert (config.master, config.embedded) == ("embedded", EmbeddedClusterConfig())
    given = load_configuration(runtime_params={"spark_master": "spark://host:7077"})["spark"]
    assert SparkConfig.from_config(given).master == "spark://host:7077"


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"masters": "embedded"}, r"Unknown option 'masters'\. .*options of conf/base/spark\.yml"),
        ({"embedded": {"port": 1}}, r"Unknown option 'port'\. .*options of the block embedded of conf/base/spark\.yml"),
        ({"master": "local[4]"}, r"spark_master is 'local\[4\]', but must be 'embedded' or .*ignores every"),
    ],
)
def test_a_wrong_spark_configuration_is_refused(block, message):
    with pytest.raises(UserError, match=message):
        SparkConfig.from_config(block)


@pytest.mark.parametrize(("embedded", "oversubscribed"), [(True, True), (False, False)])
def test_only_executors_on_the_host_of_the_driver_can_oversubscribe_it(embedded, oversubscribed):
    executors = ({"id": "0", "host": "a", "cores": 4}, {"id": "1", "host": "b", "cores": 4})
    info = ClusterInfo("exec_8x4", {}, "", embedded, executors, 7, 1.0, "", "", {})
    assert (info.cores, info.oversubscribed) == (8, oversubscribed)
    assert info.for_record()["effective"]["hosts"] == ["a", "b"]
