import re

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from cifar_pipelines import preflight
from cifar_pipelines.common import configuration
from cifar_pipelines.common.configuration import (
    PROJECT_PATH,
    check_runtime_params,
    load_configuration,
    names_of_parameters,
)
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.params import parse_params
from cifar_pipelines.spark.environment import setting_under


@pytest.fixture(scope="module")
def parameters_of():
    """Returns a function that checks what is typed after `--params` for a pipeline, as a run does before anything starts.

    The configuration is read once: these are parameters that nothing else of it repeats.
    """
    loader = load_configuration()
    own, setting = loader["parameters"], setting_under(None, loader)

    def check(block, typed):
        given = parse_params(typed)
        check_runtime_params(given, loader)
        parameters = OmegaConf.to_container(OmegaConf.merge(own, given))
        configuration.set_run_parameters(parameters)
        preflight.check_parameters([block], parameters, setting)

    return check


RIGHT = {
    "source": st.sampled_from(["synthetic", "cifar10"]),
    "train_size": st.integers(1000, 50_000),
    "test_size": st.integers(10, 10_000),
    "seed": st.integers(0, 2**31),
    "validation.share": st.floats(0, 0.9),
    "on_bad_image": st.sampled_from(["fail", "skip"]),
    "extractor": st.just("kmeans_patches"),
    "input_size": st.sampled_from([None, 16, 32]),
    "spark_ml.selected": st.sampled_from(["linear_svm", "decision_tree+random_forest"]),
    "spark_ml.repeats": st.integers(1, 5),
    "spark_ml.classifiers.logistic_regression.params.reg_param": st.floats(0, 1),
    "bigdl_cnn.networks": st.sampled_from(["airbench", "lenet+airbench"]),
    "bigdl_cnn.models.airbench.recipe.epochs": st.integers(1, 50),
    "bigdl_cnn.resume": st.booleans(),
}
WRONG = {
    "source": st.sampled_from(["", "cifar", "null", "Synthetic"]),
    "train_size": st.sampled_from(["0", "-5", "1.5", "010", "many", "", "null", "1e3"]),
    "test_size": st.sampled_from(["-1", "x"]),
    "seed": st.sampled_from(["-1", "0x10", "true"]),
    "validation.share": st.sampled_from(["1", "-0.1", "some", "null"]),
    "validation.by": st.sampled_from(["video", "group"]),
    "validation.group": st.sampled_from(["(", "(.*)/"]),
    "validation.sahre": st.just("0.1"),
    "on_bad_image": st.sampled_from(["ignore", "null", "Skip"]),
    "extractor": st.sampled_from(["kmeans", "kmeans_patches:2", "torchvision", "torchvision:mobilenet"]),
    "input_size": st.sampled_from(["0", "32px", "3.2", "100000"]),
    "spark_ml.selected": st.sampled_from(["", "svm", "linear_svm+linear_svm", "linear_svm+"]),
    "spark_ml.repeats": st.sampled_from(["0", "two"]),
    "bigdl_cnn.models.airbench.options.width": st.sampled_from(["0", "99999999999"]),
    "bigdl_cnn.networks": st.sampled_from(["resnet", "lenet+lenet"]),
    "bigdl_cnn.engines": st.sampled_from(["torch", "bigdl+"]),
    "bigdl_cnn.image_size": st.sampled_from(["500", "1"]),
    "bigdl_cnn.models.airbench.recipe.epochs": st.sampled_from(["0", "1.5"]),
    "source_options.train_images": st.sampled_from(["many", "010", "1.5"]),
    "source_options.pictures": st.just("5"),
    "subset.seed": st.just("1"),
    "data.source": st.just("synthetic"),
    "features.extractor": st.just("kmeans_patches"),
    "features.precision": st.sampled_from(["fp16", ""]),
    "parallelism.cores_max": st.just("4"),
    "spark_ml": st.just("3"),
    "spark_ml.select": st.just("linear_svm"),
}
# What no value of a kind can be, as the configuration's own value says it; HUGE is more than memory holds.
HUGE = "99999999999999"
NO_VALUE = {
    int: ["", "-1", "1.5", "nan", "x", "null"],
    float: ["", "nan", "inf", "1e400", "x", "null"],
    bool: ["", "1", "null"],
}
NO_NAMES = ["", "+", "nowhere+nowhere"]
BLOCKS = ("spark_ml", "streaming", "ensemble", "deployment", "leaks", "features", "bigdl_cnn", "transfer")
SELECTED = {
    "spark_ml.classifiers": "spark_ml.selected", "streaming.models": "streaming.selected",
    "bigdl_cnn.models": "bigdl_cnn.networks", "transfer.models": "transfer.selected",
}  # fmt: skip


def wrong_values():
    """Names of all parameters of the blocks with values that none of them can have, and what selects what they are of."""
    for name, own in names_of_parameters().values.items():
        parts = name.split(".")
        values = NO_NAMES if isinstance(own, list) and own else NO_VALUE.get(type(own), [])
        if parts[0] in BLOCKS and parts[-1] not in ("augmentation", "phases"):
            above = ".".join(parts[:2])
            selection = {SELECTED[above]: parts[2]} if above in SELECTED and len(parts) > 2 else {}
            yield from ((parts[0], {**selection, name: value}) for value in values)


LEGAL = st.sampled_from([None, "test", "exec_2x1"])
ILLEGAL = st.tuples(st.integers(1, 20), st.integers(1, 20)).map("exec_{0[0]}x{0[1]}".format)
ILLEGAL = ILLEGAL.filter(lambda name: not (PROJECT_PATH / "conf" / name).is_dir())
# Shrinking what failed would take minutes.
ALL_OF_IT = {
    "deadline": None, "phases": [Phase.explicit, Phase.generate], "database": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}  # fmt: skip


def command(env, params):
    typed = ",".join(f"{name}={'null' if value is None else value}" for name, value in params.items())
    return [*(["--env", env] if env else []), "--params", typed.replace("True", "true").replace("False", "false")]


@settings(max_examples=6, **ALL_OF_IT)
@given(LEGAL, st.fixed_dictionaries({}, optional=RIGHT))
def test_a_random_right_configuration_runs(kedro_run, env, params):
    assert kedro_run(*command(env, params)).started is not None


@settings(max_examples=12, **ALL_OF_IT)
@given(LEGAL, ILLEGAL, st.fixed_dictionaries({}, optional=RIGHT), st.sampled_from([*sorted(WRONG), "--env"]), st.data())
def test_a_random_configuration_with_one_mistake_is_refused(refusal, env, illegal, params, name, data):
    if name == "--env":
        env = illegal
    else:
        params[name] = data.draw(WRONG[name])
    said = refusal(*command(env, params))
    assert said.startswith("Error: ") and len(said) < 800


@settings(max_examples=100, **ALL_OF_IT)
@given(st.sampled_from(list(wrong_values())))
def test_a_value_that_no_parameter_of_its_kind_can_have_is_refused(parameters_of, wrong):
    block, typed = wrong
    with pytest.raises(UserError) as refused:
        parameters_of(block, ",".join(f"{name}={value}" for name, value in typed.items()))
    said = str(refused.value)
    assert len(said) < 800 and said.endswith(".")


@pytest.mark.parametrize(
    ("block", "typed", "words"),
    [
        ("streaming", "streaming.landing=", "streaming.landing is empty"),
        ("streaming", f"streaming.law.window={HUGE}", "must be a whole number from 1 to 10,000,000"),
        ("streaming", f"streaming.frames_per_trigger={HUGE}", "must be a whole number from 1 to 1,000,000"),
        (
            "streaming",
            f"streaming.selected=stream_kmeans,streaming.models.stream_kmeans.options.clusters={HUGE}",
            "ask for more memory than there is",
        ),
        ("ensemble", "ensemble.members=one", "must name two saved models or more, each once"),
        ("ensemble", "ensemble.members=one+one", "must name two saved models or more, each once"),
        ("ensemble", "ensemble.members=one+", "must name two saved models or more, each once"),
        ("deployment", "deployment.variants=int4", "Unknown variant 'int4'"),
        ("deployment", "deployment.variants=bf16+bf16", "each once"),
        ("deployment", "deployment.options.structured_pruning.channels=1", "must be above 0 and below 1"),
        ("leaks", "leaks.group=", "leaks.group is empty"),
        ("features", f"features.tasks_per_core={HUGE}", "must be a whole number from 1 to 4,096"),
        ("spark_ml", f"spark_ml.repeats={HUGE}", "must be a whole number from 1 to 1,000"),
        ("spark_ml", f"spark_ml.classifiers.logistic_regression.params.max_iter={HUGE}", "from 0 to 1000000"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(parameters_of, block, typed, words):
    with pytest.raises(UserError, match=re.escape(words)):
        parameters_of(block, typed)
