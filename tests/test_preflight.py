import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import node, pipeline

from cifar_pipelines.common import configuration
from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.families import pipeline_names
from cifar_pipelines.pipelines import comparison
from cifar_pipelines.preflight import _pipeline, check_blocks, check_inputs_exist

TABLES = ("images", "images_info", "features", "features_info")


@pytest.fixture
def catalog(tmp_path):
    """Tables that do not exist yet, in a temporary folder."""
    kind = "json.JSONDataset"
    config = {name: {"type": kind, "filepath": str(tmp_path / f"{name}.json")} for name in TABLES}
    return DataCatalog.from_config(config)


def reader(*inputs):
    return pipeline([node(lambda *tables: 1, list(inputs), "result", name="read")])


def complaint(made, catalog):
    with pytest.raises(UserError) as caught:
        check_inputs_exist(made, catalog)
    return caught.value.message


def test_missing_tables_are_named_with_the_command_that_makes_them(catalog):
    message = complaint(reader("features", "images_info"), catalog)
    assert message.startswith("Missing or incomplete: features, images_info, for these parameters.")
    assert message.splitlines()[2] == "    kedro run --pipelines ingestion,features"


def test_only_what_is_missing_is_made(catalog):
    for name in ("images", "images_info"):
        catalog.save(name, {})
    message = complaint(reader(*TABLES), catalog)
    assert "incomplete: features, features_info," in message
    assert message.splitlines()[2] == "    kedro run --pipelines features"


def test_the_command_repeats_environment_and_parameters(catalog):
    given = {"train_size": 200, "spark_ml": {"selected": "linear_svm", "repeats": 3}}
    configuration.follow(load_configuration("exec_2x1", given))
    message = complaint(reader("images"), catalog)
    assert message.splitlines()[2] == (
        "    kedro run --pipelines ingestion --env exec_2x1 "
        "--params train_size=200,spark_ml.selected=linear_svm,spark_ml.repeats=3"
    )


def test_nothing_is_said_when_everything_is_there(catalog):
    for name in TABLES:
        catalog.save(name, {})
    check_inputs_exist(reader(*TABLES), catalog)


def test_what_the_run_itself_makes_is_not_missed(catalog):
    maker = pipeline([node(lambda: 1, None, "images", name="make")])
    check_inputs_exist(maker + reader("images"), catalog)


def test_what_no_pipeline_makes_is_not_checked(catalog):
    catalog["image_source"] = MemoryDataset()
    check_inputs_exist(reader("image_source", "params:x"), catalog)


def test_a_part_that_needs_what_others_hand_over_in_memory_is_refused(catalog):
    with pytest.raises(UserError, match=r"^These nodes need what others hand over in memory: study_table\. Begin with"):
        check_inputs_exist(reader("study_table", "params:x"), catalog)


def test_a_comparison_alone_needs_nothing_that_is_not_there(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    everything = DataCatalog.from_config(load_configuration()["catalog"])
    check_inputs_exist(comparison.create_pipeline(), everything)


@pytest.mark.parametrize("name", pipeline_names())
def test_every_pipeline_finds_the_blocks_that_its_nodes_want_typed(name):
    check_blocks({name: _pipeline(name)}, load_configuration()["parameters"])
