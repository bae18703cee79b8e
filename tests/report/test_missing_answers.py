import pytest
from tests.factories.records import make_record
from tests.factories.report import make_document, missing_in, sections


def test_missing_parts_are_said_with_the_command(tmp_path):
    said = {
        name: missing_in(blocks) for name, blocks in sections(make_document({"a": make_record()}, tmp_path)).items()
    }
    params = "--params source=synthetic,train_size=10000,test_size=500,seed=42"
    for name in ("A1", "A2"):
        assert said[name] and all(words.endswith(f"kedro run --pipelines ingestion {params}") for words in said[name])
    assert said["A4"][0].endswith(f"kedro run --pipelines features --env exec_2x1 {params}")
    assert said["A5"] == ["The classifiers of the installed Spark ML were not listed. To make it: kedro classifiers"]
    assert said["A6"] == []
    assert len(said["A7"]) == 5 and "--pipelines spark_ml" in said["A7"][0]
    for name in ("A11", "A12"):
        assert said[name] == [
            f"No CNN was trained in this study. To make it: kedro run --pipelines bigdl_cnn --env exec_2x1 {params}"
        ]
    grow = "kedro experiment --settings exec_2x1 --pipelines ingestion,features,bigdl_cnn,spark_ml --grow-to 20000"
    assert said["A13"][0].endswith(f"{grow} {params}")


@pytest.mark.parametrize(
    ("known", "option"),
    [
        ({"environment": "exec_2x1", "params_of": "animals"}, " --params-of animals"),
        ({"environment": "cifar10_tuned"}, " --params-of cifar10_tuned"),  # it holds a setting as well
        ({"environment": "exec_2x1", "params_of": None}, ""),
    ],
)
def test_commands_name_the_environment_that_the_parameters_of_the_study_came_from(known, option, tmp_path):
    made = sections(make_document({"a": make_record(**known)}, tmp_path))
    params = "--params source=synthetic,train_size=10000,test_size=500,seed=42"
    assert missing_in(made["A2"])[0].endswith(f"kedro run --pipelines ingestion{option} {params}")
    assert missing_in(made["A4"])[0].endswith(f"kedro run --pipelines features --env exec_2x1{option} {params}")
    assert missing_in(made["A13"])[0].endswith(f" --grow-to 20000{option} {params}")


def test_commands_name_extractor_and_cluster_where_they_are_not_those_of_the_configuration(tmp_path):
    cluster = {
        "effective": {"master": "spark://lab:7077", "embedded": False, "executors": 1, "cores": 2, "hosts": ["w"]}
    }
    small = {"extractor": "timm:tf_efficientnet_lite1", "input_size": 128}
    made = {"a": make_record(setting=(2, 2)), "b": make_record(features=small), "c": make_record(parallelism=cluster)}
    commands = {
        name: missing_in(sections(make_document({name: record}, tmp_path))["A7"])[0] for name, record in made.items()
    }
    params = "--params source=synthetic,train_size=10000,test_size=500,seed=42"
    assert commands["a"].endswith(f"kedro run --pipelines spark_ml --env exec_2x2 {params}")
    assert commands["b"].endswith(f"{params},extractor=timm:tf_efficientnet_lite1,input_size=128")
    assert commands["c"].endswith(f"{params},spark_master=spark://lab:7077")
