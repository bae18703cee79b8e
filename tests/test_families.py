"""What the project asks of every family of models, whichever there are."""

import pytest

from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.families import INGESTION, PIPELINES, families, families_of, present_names, words_for
from cifar_pipelines.records.digest import study_digest
from cifar_pipelines.spark.setting import ParallelismSetting

PARAMETERS = load_configuration()["parameters"]
each_family = pytest.mark.parametrize("family", families().values(), ids=lambda family: family.name)


def test_a_family_is_found_in_the_folder_of_its_pipeline():
    assert set(families()) == {file.parent.name for file in PIPELINES.glob("*/family.py")}
    assert {"features", "spark_ml", "bigdl_cnn"} <= set(families())


def test_a_family_comes_after_those_that_it_needs():
    order = [INGESTION, *families()]
    for name, family in families().items():
        assert all(order.index(needed) < order.index(name) for needed in family.needs)
    assert [family.name for family in families_of(["spark_ml", "comparison", "features"])] == [
        "features", "spark_ml"
    ]  # fmt: skip


@each_family
def test_selected_models_have_digests_of_their_own(family):
    models = family.models(PARAMETERS)
    assert models and len(set(models)) == len(models)
    digests = {study_digest(PARAMETERS, family.name, model, "embedded") for model in models}
    assert len(digests) == len(models)


@each_family
def test_the_configuration_of_the_project_passes_the_checks(family):
    members = PARAMETERS["ensemble"] | {"members": ["one", "other"]}  # whoever asks for an ensemble names them
    family.check(PARAMETERS | {"ensemble": members}, ParallelismSetting(2, 1, "1g"))


@each_family
def test_one_model_can_be_selected_alone_where_a_family_is_trained_on_more_images(family):
    if family.only is None:
        return
    for model in family.models(PARAMETERS):
        chosen: dict = {}
        for path, value in family.only(PARAMETERS, model).items():
            *blocks, key = path.split(".")
            block = chosen
            for name in blocks:
                block = block.setdefault(name, {})
            block[key] = value
        alone = load_configuration(runtime_params=chosen)["parameters"]
        assert family.models(alone) == [model]


def test_older_names_of_families_are_known():
    assert present_names() == {"cnn": "bigdl_cnn", "feature_extraction": "features"}
    assert words_for("bigdl_cnn") == "CNNs"
    assert words_for("gone") == "models of gone"


def test_sizes_that_a_setting_does_not_allow_are_refused_before_anything_starts():
    small = load_configuration(runtime_params={"train_size": 3})["parameters"]
    with pytest.raises(UserError, match="more than the 3 training images"):
        families()["bigdl_cnn"].check(small, ParallelismSetting(2, 1, "1g"))
