from dataclasses import replace

import pytest
from tests.factories.experiment import EXPERIMENT

from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.experiment.plan import about_report, twice, with_params
from cifar_pipelines.records.digest import study_digest


def test_repeats_go_round_the_settings():
    steps = list(EXPERIMENT.steps())
    assert [(step.setting, step.repeat) for step in steps] == [
        *(("exec_1x1", 0), ("exec_1x1", 1), ("exec_2x2", 1), ("exec_1x1", 2), ("exec_2x2", 2))
    ]
    assert steps[0].pipelines == ("ingestion",)
    assert steps[1].arguments() == [
        *("run", "--pipelines", "features,spark_ml,bigdl_cnn", "--env", "exec_1x1", "--params", "train_size=60")
    ]


def test_what_runs_once_does_so_under_the_last_setting_after_all_repeats():
    steps = list(replace(EXPERIMENT, once=("transfer", "streaming")).steps())
    assert [(step.setting, step.pipelines, step.repeat) for step in steps[-2:]] == [
        ("exec_2x2", ("transfer",), 1),
        ("exec_2x2", ("streaming",), 1),
    ]
    assert {"transfer", "streaming"} <= set(replace(EXPERIMENT, once=("transfer", "streaming")).expected())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"settings": ("exec_9x1",)}, "exec_9x1: spark.cores.max = 9 exceeds the budget"),
        ({"settings": ("exec_1x1", "exec_1x1")}, "each once"),
        ({"pipelines": ("comparison",)}, "cannot run the pipeline 'comparison'"),
        ({"repeats": 0}, "--repeats is 0"),
        ({"once": ("spark_ml",)}, "--once names spark_ml, but what runs under every setting"),
        ({"once": ("ingestion",)}, "--once names ingestion"),
        ({"once": ("transfers",)}, "cannot run the pipeline 'transfers'"),
        ({"once": ("transfer",), "params_text": "transfer.selected=lite9"}, "Unknown transfer 'lite9'"),
        ({"params_text": "train_sizes=5"}, "Unknown parameter 'train_sizes'"),
        ({"params_text": "train_size"}, "every part must be name=value"),
        ({"params_text": "spark_ml.selected=random_forrest"}, "Unknown classifier 'random_forrest'"),
        ({"params_text": "bigdl_cnn.networks=lenett"}, "Unknown network 'lenett'"),
        ({"params_text": "bigdl_cnn.image_size=500"}, "takes images of 9 to 96 pixels"),
    ],
)
def test_mistakes_are_found_before_the_first_step(change, words):
    with pytest.raises(UserError, match=words):
        replace(EXPERIMENT, **change).check()


def test_parameters_are_replaced_by_name():
    assert with_params("train_size=1,seed=2", {"train_size": 5}) == "seed=2,train_size=5"
    assert with_params("", {"a.b": 1}) == "a.b=1"


def test_every_model_is_expected_with_a_digest_of_its_own():
    expected = EXPERIMENT.expected()
    assert set(expected) == {"features", "spark_ml", "bigdl_cnn"}
    assert list(expected["bigdl_cnn"]) == ["airbench_bigdl", "airbench_torch_distributor"]
    digests = [digest for models in expected.values() for digest in models.values()]
    assert len(set(digests)) == len(digests)


def test_a_digest_follows_what_the_result_depends_on():
    def digest(pipeline, model, **params):
        return study_digest(load_configuration(runtime_params=params)["parameters"], pipeline, model, "embedded")

    forest = digest("spark_ml", "random_forest")
    assert forest == digest("spark_ml", "random_forest", bigdl_cnn={"networks": "lenet"})
    assert forest == digest("spark_ml", "random_forest", spark_ml={"selected": "random_forest"})
    other = {"spark_ml": {"classifiers": {"random_forest": {"params": {"trees": 7}}}}}
    assert forest != digest("spark_ml", "random_forest", **other)
    assert forest != digest("spark_ml", "random_forest", train_size=7)
    assert forest != digest("spark_ml", "random_forest", source_path="elsewhere")
    cnn = digest("bigdl_cnn", "lenet_bigdl")
    assert cnn == digest("bigdl_cnn", "lenet_bigdl", input_size=64)  # a CNN reads no features
    recipe = {"bigdl_cnn": {"models": {"lenet": {"recipe": {"epochs": 3}}}}}
    assert cnn != digest("bigdl_cnn", "lenet_bigdl", **recipe)


def test_only_what_is_about_the_report_reaches_the_comparison_and_all_images_do_not_grow():
    assert about_report("source=cifar10,report.author=Ada,train_size=60") == "report.author=Ada"
    assert about_report("") == ""
    assert (twice(60), twice("all")) == (120, 0)
