import json
from pathlib import Path

import pytest
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner

from cifar_pipelines.common import configuration
from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.sources import open_source

EVERYTHING = ["ingestion", "features", "spark_ml", "comparison"]


@pytest.fixture
def tables():
    """Returns a function that writes the tables of the default parameters as an earlier run would have left them."""

    def write(images=(), features=()):
        catalog = load_configuration()["catalog"]
        described = {
            "images": {"source_fingerprint": open_source("synthetic").fingerprint(), "bad_images_skipped": 0},
            "features": {"images_fingerprint": "x", "options": {"centroids": 400, "mirror": True}, "precision": "bf16"},
        }
        described["images"] |= {"fingerprint": "x"} | dict(images)
        described["features"] |= dict(features)
        for name, content in described.items():
            success = Path(catalog[name]["filepath"]) / "_SUCCESS"
            success.parent.mkdir(parents=True)
            success.touch()
            Path(catalog[f"{name}_info"]["filepath"]).write_text(json.dumps(content))

    return write


@pytest.mark.parametrize("option", ["--pipeline", "--pipelines", "-p"])
def test_a_pipeline_is_named_by_either_option_without_a_word_about_it(kedro_run, option, recwarn):
    typed = kedro_run(option, "ingestion")
    assert (typed.started["pipelines"], typed.started["pipeline"], typed.output) == (["ingestion"], None, "")
    assert not recwarn


@pytest.mark.parametrize(
    ("asked", "run"),
    [
        ("ingestion", ["ingestion"]),
        ("features", ["ingestion", "features"]),
        ("spark_ml", ["ingestion", "features", "spark_ml"]),
        ("bigdl_cnn", ["ingestion", "bigdl_cnn"]),
        ("features,spark_ml", ["ingestion", "features", "spark_ml"]),
        ("comparison", EVERYTHING),
        ("bigdl_cnn,comparison", ["ingestion", "bigdl_cnn", "comparison"]),
    ],
)
def test_what_a_pipeline_needs_and_is_not_there_is_made_first(kedro_run, asked, run):
    typed = kedro_run("--pipelines", asked, "--env", "exec_8x2", "--params", "train_size=2000")
    assert typed.started["pipelines"] == run
    assert typed.started["env"] == "exec_8x2" and typed.started["params"] == {"train_size": 2000}


def test_the_parameters_of_a_study_run_under_any_setting_and_are_known_to_the_run(kedro_run):
    typed = kedro_run(
        "--pipelines", "ingestion", "--params-of", "animals", "--env", "exec_2x1", "--params", "train_size=500"
    )
    assert typed.started["env"] == "exec_2x1" and "params_of" not in typed.started
    given = typed.started["params"]
    assert (given["source"], given["train_size"], given["test_size"]) == ("animals", 500, 1000)
    assert configuration.params_of() == "animals"
    kedro_run("--pipelines", "ingestion", "--env", "exec_2x1")
    assert configuration.params_of() is None


def test_all_pipelines_run_where_none_is_named(kedro_run):
    assert kedro_run().started["pipelines"] == kedro_run("--pipelines", "__default__").started["pipelines"] == []


def test_what_is_there_is_used_and_said_otherwise(kedro_run, tables, caplog):
    tables()
    assert kedro_run("--pipelines", "spark_ml").started["pipelines"] == ["spark_ml"]
    caplog.set_level("INFO", "cifar_pipelines")
    kedro_run("--pipelines", "spark_ml", "--params", "seed=1")
    assert [record.message for record in caplog.records] == [
        "ingestion runs first, because images, images_info are not there for these parameters.",
        "features runs first, because what ingestion makes is new.",
    ]


@pytest.mark.parametrize(
    ("images", "features", "params", "first"),
    [
        ({"source_fingerprint": "other"}, {}, "", ["ingestion", "features"]),
        ({"bad_images_skipped": 3}, {}, "", ["ingestion", "features"]),
        ({"bad_images_skipped": 3}, {}, "on_bad_image=skip", []),
        ({"fingerprint": "y"}, {}, "", ["features"]),
        ({}, {"options": {}}, "", ["features"]),
        ({}, {}, "features.options.kmeans_patches.centroids=20", ["features"]),
        ({}, {}, "features.precision=fp32", ["features"]),
        ({}, {}, "features.precision=bf16", []),
    ],
)
def test_what_is_there_and_is_not_what_is_asked_for_is_made_anew(kedro_run, tables, images, features, params, first):
    tables(images, features)
    assert kedro_run("--pipelines", "spark_ml", "--params", params).started["pipelines"] == [*first, "spark_ml"]


def test_features_are_made_anew_after_images_that_were_asked_for_and_had_changed(kedro_run, tables):
    tables({"source_fingerprint": "other"})
    typed = kedro_run("--pipelines", "ingestion,spark_ml")
    assert typed.started["pipelines"] == ["features", "ingestion", "spark_ml"]


def test_a_comparison_needs_nothing_where_a_run_record_is_there(kedro_run, tmp_path):
    record = tmp_path / load_configuration()["catalog"]["run_records"]["path"] / "exec_2x1" / "x.json"
    record.parent.mkdir(parents=True)
    record.write_text("{}")
    assert kedro_run("--pipelines", "comparison").started["pipelines"] == ["comparison"]


def test_a_run_of_what_is_there_only_is_refused_with_a_command_to_paste(refusal):
    said = refusal(
        "--pipelines",
        "spark_ml",
        "--env",
        "exec_2x1",
        "--only-what-is-there",
        "--params",
        "source=image_folder,source_path=a b",
    )
    assert "Ingestion has to run first, because images, images_info are not there for these parameters;" in said
    assert said.endswith(
        "kedro run --pipelines ingestion,features --env exec_2x1 --params 'source=image_folder,source_path=a b'"
    )


def test_a_part_of_a_pipeline_has_nothing_put_in_front(kedro_run):
    assert kedro_run("--pipelines", "spark_ml", "--tags", "spark").started["pipelines"] == ["spark_ml"]
    assert kedro_run("--nodes", "ingestion.index_source").started["node_names"] == ["ingestion.index_source"]


def test_nobody_is_advised_to_go_on_from_a_node_because_the_same_command_does(kedro_run, caplog):
    kedro_run("--pipelines", "ingestion")
    caplog.set_level("WARNING", "kedro.runner")
    SequentialRunner()._suggest_resume_scenario(Pipeline([]), [], None)
    assert not caplog.records
