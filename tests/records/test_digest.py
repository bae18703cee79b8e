"""Digests name what a result depends on; a record whose digest changes is no longer found."""

import json
from copy import deepcopy
from pathlib import Path

import pytest
from kedro.framework.project import pipelines
from kedro.framework.startup import bootstrap_project
from kedro.validation.parameter_validator import ParameterValidator

from cifar_pipelines.common.configuration import PROJECT_PATH, load_configuration
from cifar_pipelines.common.params import parse_params
from cifar_pipelines.records.digest import study_digest
from cifar_pipelines.records.provenance import untyped

GOLDEN = json.loads((Path(__file__).parent / "data" / "digests.json").read_text())


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["params"] or "defaults")
def test_digests_of_records_that_exist_stay_as_they_are(case):
    found = [
        [pipeline, model, master, study_digest(case["parameters"], pipeline, model, master)]
        for pipeline, model, master, _ in case["digests"]
    ]
    assert found == case["digests"]


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["params"] or "defaults")
def test_todays_configuration_has_the_same_digests(case):
    # A default that changes on purpose changes these: make the golden file anew then.
    parameters = load_configuration("exec_2x1", parse_params(case["params"]))["parameters"]
    for pipeline, model, master, digest in case["digests"]:
        assert study_digest(parameters, pipeline, model, master) == digest


def test_a_network_whose_name_begins_with_that_of_another_has_a_digest_of_its_own():
    parameters = load_configuration()["parameters"]
    models = parameters["bigdl_cnn"]["models"]
    models["airbench_wide"] = deepcopy(models["airbench"])
    before = study_digest(parameters, "bigdl_cnn", "airbench_wide_bigdl", "embedded")
    models["airbench_wide"]["recipe"]["epochs"] += 1
    assert study_digest(parameters, "bigdl_cnn", "airbench_wide_bigdl", "embedded") != before
    models["airbench"]["recipe"]["epochs"] += 1
    unchanged = study_digest(parameters, "bigdl_cnn", "airbench_wide_bigdl", "embedded")
    models["airbench"]["recipe"]["epochs"] += 1
    assert study_digest(parameters, "bigdl_cnn", "airbench_wide_bigdl", "embedded") == unchanged


@pytest.mark.parametrize(
    ("family", "model", "params"),
    [
        ("features", "torchvision:mobilenet_v2", "extractor=torchvision:mobilenet_v2,weights_path={}"),
        ("spark_ml", "random_forest", "extractor=torchvision:mobilenet_v2,features.weights=path:{}"),
        ("transfer", "mobilenet_v2_torch_distributor", "transfer.models.mobilenet_v2.weights=path:{}"),
    ],
)
def test_what_a_file_of_weights_holds_counts(family, model, params, tmp_path):
    def digest():
        parameters = load_configuration("exec_2x1", parse_params(params.format(file)))["parameters"]
        return study_digest(parameters, family, model, "embedded")

    file = tmp_path / "w.pth"
    missing = digest()
    file.write_bytes(b"before")
    before = digest()
    file.write_bytes(b"after")
    assert len({missing, before, digest()}) == 3


def test_options_of_the_source_count_only_where_there_are_some():
    plain, other = (
        load_configuration("exec_2x1", parse_params(params))["parameters"] for params in ("", "source_options.seed=3")
    )
    older = plain | {"data": {key: plain["data"][key] for key in ("source", "path")}}
    asked = ("features", "kmeans_patches", "embedded")
    assert study_digest(plain, *asked) == study_digest(older, *asked) != study_digest(other, *asked)


def test_a_cut_of_validation_images_counts_only_where_there_is_one():
    params = ("", "validation.by=group,validation.group=x", "validation.share=0.1", "validation.share=0.2")
    made = [load_configuration("exec_2x1", parse_params(given))["parameters"] for given in params]
    plain, unused, small, large = (study_digest(one, "features", "kmeans_patches", "embedded") for one in made)
    assert plain == unused and len({plain, small, large}) == 3


def test_shifted_views_and_augmentations_of_a_cnn_count_only_where_there_are_some():
    def digest(params, without=()):
        parameters = deepcopy(load_configuration("exec_2x1", parse_params(params))["parameters"])
        recipe = parameters["bigdl_cnn"]["models"]["airbench"]["recipe"]
        parameters["bigdl_cnn"]["models"]["airbench"]["recipe"] = {key: recipe[key] for key in recipe.keys() - without}
        return study_digest(parameters, "bigdl_cnn", "airbench_bigdl", "embedded")

    shifted = digest("bigdl_cnn.models.airbench.recipe.shift_at_test=1")
    assert digest("", {"shift_at_test", "augmentation"}) == digest("") != shifted
    assert digest("bigdl_cnn.models.airbench.recipe.augmentation=[flip]") not in (digest(""), shifted)


def test_weights_count_only_where_they_are_named():
    plain, other = (
        load_configuration("exec_2x1", parse_params(params))["parameters"] for params in ("", "weights=none")
    )
    assert plain["features"]["weights"] is None
    older = plain | {"features": {key: value for key, value in plain["features"].items() if key != "weights"}}
    for asked in (("features", "kmeans_patches", "embedded"), ("spark_ml", "logistic_regression", "embedded")):
        assert study_digest(plain, *asked) == study_digest(older, *asked) != study_digest(other, *asked)


def test_parameters_that_kedro_has_built_have_the_same_digest():
    """Kedro makes dataclasses of the blocks that nodes want typed, also in the dataset `parameters`."""
    bootstrap_project(PROJECT_PATH)
    parameters = load_configuration("exec_2x1")["parameters"]
    typed = ParameterValidator(dict(pipelines)).validate_raw_params(parameters)
    assert not isinstance(typed["features"], dict)
    assert untyped(typed) == parameters
