import pytest
from kedro.io import DataCatalog

from cifar_pipelines import classifiers
from cifar_pipelines.common import configuration
from cifar_pipelines.common.configuration import (
    PROJECT_PATH,
    check_runtime_params,
    load_configuration,
    set_run_parameters,
)
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.resolvers import options_suffix, path_suffix, size_suffix, slug, weights_suffix
from cifar_pipelines.pipelines.spark_ml.family import selected_classifiers

ENVIRONMENTS = sorted(folder.name for folder in (PROJECT_PATH / "conf").iterdir() if folder.is_dir())
BLOCKS = {name: {"justification": "x", "params": {}} for name in ("linear_svm", "decision_tree")}
ONE_OF_EACH = {"scope": "source", "family": "spark_ml", "model": "linear_svm", "plot": "roc", "which": "right"}


def select(selected, blocks=BLOCKS):
    return selected_classifiers({"spark_ml": {"selected": selected, "classifiers": blocks}})


def check(**runtime_params):
    check_runtime_params(runtime_params, load_configuration(runtime_params=runtime_params))


def paths(block):
    for value in block.values():
        if isinstance(value, dict):
            yield from paths(value)
        elif isinstance(value, str) and value.startswith("data/"):
            yield value


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ({"train_sizes": 5}, "train_size"),
        ({"spark_ml": {"select": "linear_svm"}}, "spark_ml.selected"),
        ({"spark_ml": {"repeat": 2}}, "spark_ml.repeats"),
        ({"extractr": "kmeans_patches"}, "extractor"),
        ({"bigdl_cnn": {"image_sizes": 1}}, "bigdl_cnn.image_size"),
        ({"spark_ml": {"classifiers": {"linear_svm": {"parms": 1}}}}, "spark_ml.classifiers.linear_svm.params"),
    ],
)
def test_an_unknown_parameter_is_refused_with_the_nearest(given, nearest):
    with pytest.raises(UserError, match=rf"Unknown parameter '.*'\. Did you mean .*'{nearest}'"):
        check(**given)


@pytest.mark.parametrize("name", ["parallelism", "budget"])
def test_a_setting_is_no_parameter(name):
    with pytest.raises(UserError, match=f"Unknown parameter '{name}.cores'"):
        check(**{name: {"cores": 4}})


def test_every_shortcut_is_accepted_and_reaches_its_parameter():
    shortcuts = {k: v for k, v in load_configuration()["globals"].items() if k not in ("parallelism", "budget")}
    check(**shortcuts)
    given = {"train_size": 77, "test_size": 33, "seed": 5, "on_bad_image": "skip", "extractor": "torchvision:x"}
    check(**given)
    parameters = load_configuration(runtime_params=given)["parameters"]
    assert parameters["subset"] == {"train_size": 77, "test_size": 33, "seed": 5}
    assert parameters["ingestion"]["on_bad_image"] == "skip"
    assert parameters["features"]["extractor"] == "torchvision:x"


def test_nested_parameters_and_names_inside_of_option_blocks_are_accepted():
    check(spark_ml={"selected": "linear_svm", "repeats": 3})
    check(spark_ml={"classifiers": {"linear_svm": {"params": {"new_one": 1}}}})
    check(features={"options": {"kmeans_patches": {"patch_size": 5}}, "micro_batch": 8})
    check(source_options={"train_images": 60000})


@pytest.mark.parametrize(
    ("given", "right"),
    [
        ({"subset": {"train_size": 100}}, "train_size"),
        ({"data": {"source": "cifar10"}}, "source"),
        ({"data": {"path": "images"}}, "source_path"),
        ({"data": {"options": {"seed": 1}}}, "source_options.seed"),
        ({"ingestion": {"on_bad_image": "skip"}}, "on_bad_image"),
        ({"features": {"extractor": "kmeans_patches"}}, "extractor"),
    ],
)
def test_a_second_name_of_a_value_is_refused_with_the_right_one(given, right):
    with pytest.raises(UserError, match=rf"is no name of its own\. Give {right} instead"):
        check(**given)


def test_no_second_name_is_offered_for_a_name_that_is_mistyped():
    with pytest.raises(UserError) as caught:
        check(subset={"train_sizes": 100})
    assert "'train_size'" in caught.value.message and "'subset.train_size'" not in caught.value.message


@pytest.mark.parametrize(
    "block", [{"data": {"optionen": {"seed": 1}}}, {"bigdl_cnn": {"models": {"airbench": {"recipe": {"x": 1}}}}}]
)
def test_a_name_inside_of_any_other_block_is_refused(block):
    with pytest.raises(UserError, match="Unknown parameter"):
        check(**block)


def test_options_of_the_source_reach_the_source_and_the_names_of_its_folders():
    given = {"source_options": {"train_images": 60000, "seed": 3}}
    plain, other = (load_configuration(runtime_params=params) for params in (None, given))
    assert plain["catalog"]["image_source"]["options"] == {}
    assert other["catalog"]["image_source"]["options"] == given["source_options"]
    assert other["parameters"]["data"]["options"] == given["source_options"]
    assert "/synthetic/" in plain["catalog"]["images"]["filepath"]
    assert f"/synthetic{options_suffix(given['source_options'])}/" in other["catalog"]["images"]["filepath"]
    source = DataCatalog.from_config({"image_source": other["catalog"]["image_source"]}).load("image_source")
    assert len(source.index("train")) == 60000


def test_a_nested_parameter_is_merged_into_its_block():
    given = {"spark_ml": {"classifiers": {"linear_svm": {"params": {"max_iter": 3}}}}}
    parameters = load_configuration(runtime_params=given)["parameters"]["spark_ml"]["classifiers"]
    assert parameters["linear_svm"]["params"] == {"max_iter": 3, "reg_param": 0.01}
    assert "random_forest" in parameters


@pytest.mark.parametrize(
    "selected", ["linear_svm+decision_tree", ["linear_svm", "decision_tree"], ("linear_svm", "decision_tree")]
)
def test_classifiers_are_selected_by_a_list_or_by_names_with_plus_between(selected):
    assert select(selected) == ["linear_svm", "decision_tree"]


@pytest.mark.parametrize("selected", [[], "", None, ["linear_svm"] * 2, "linear_svm+linear_svm", "linear_svm+"])
def test_an_empty_selection_and_a_name_given_twice_are_refused(selected):
    with pytest.raises(UserError, match=r"spark_ml\.selected is .*, but must hold at least one name, each once"):
        select(selected)


@pytest.mark.parametrize("selected", ["linear_smv", "linear_svm+linear_smv", "linear_svm, b"])
def test_an_unknown_classifier_is_refused(selected):
    with pytest.raises(UserError, match=r"Unknown classifier '.*'.* Known: decision_tree, .*random_forest"):
        select(selected)


def test_a_selected_classifier_needs_its_block():
    with pytest.raises(UserError, match=r"'random_forest' has no block under spark_ml\.classifiers\. Add one"):
        select(["random_forest"])


def test_pipelines_are_built_with_the_parameters_of_the_folder_when_no_run_is_under_way():
    assert configuration.run_parameters() == load_configuration()["parameters"]
    assert set(selected_classifiers(configuration.run_parameters())) <= set(classifiers.names())


def test_the_parameters_of_a_run_are_a_copy_and_are_forgotten():
    block = {"a": 1}
    set_run_parameters(block)
    block["a"] = 2
    assert configuration.run_parameters() == {"a": 1}
    set_run_parameters(None)
    assert configuration.run_parameters() == load_configuration()["parameters"]


def test_a_name_becomes_a_file_name():
    assert slug("torchvision:mobilenet_v2") == "torchvision-mobilenet_v2"
    assert slug("a/b\\c d") == "a-b-c-d"
    assert slug("kmeans_patches") == "kmeans_patches"


@pytest.mark.parametrize("nothing", [None, "", "None", "null"])
def test_nothing_has_no_suffix(nothing):
    assert path_suffix(nothing) == size_suffix(nothing) == weights_suffix(nothing) == ""
    assert options_suffix(None) == options_suffix({}) == ""


def test_options_have_a_suffix_of_their_own_in_any_order():
    assert options_suffix({"a": 1, "b": 2}) == options_suffix({"b": 2, "a": 1}) != options_suffix({"a": 1})


def test_every_path_has_a_suffix_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Relative to the project, wherever a command is typed.
    assert path_suffix("a") == path_suffix(PROJECT_PATH / "a") == path_suffix("b/../a")
    assert path_suffix("a") != path_suffix("b")
    assert len(path_suffix("a")) == 9 and path_suffix("a")[0] == "-"
    assert size_suffix(160) == "-160px"


def test_weights_have_a_suffix_of_their_own_and_a_file_of_them_that_of_its_path():
    assert weights_suffix("none") == "-none" and weights_suffix("package:a-b") == "-package-a-b"
    assert weights_suffix("path:w.pth") == weights_suffix("path:w.pth#sha256=01234567") == path_suffix("w.pth")
    assert weights_suffix("path:m#1/w.pth") == path_suffix("m#1/w.pth") != weights_suffix("path:m#2/w.pth")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_environment_loads_and_its_catalog_can_be_built(environment):
    loader = load_configuration(environment)
    assert loader["spark"]["master"] == "embedded"
    assert loader["parameters"]["subset"]["train_size"] == loader["globals"]["train_size"]
    catalog = DataCatalog.from_config(loader["catalog"], save_version="2024-01-02T03.04.05.678Z")
    for name in loader["catalog"]:
        if not name.startswith("_"):
            resolved = name.format(**ONE_OF_EACH)
            assert resolved in catalog, name
            assert catalog.get(resolved) is not None, name


def test_results_of_different_settings_lie_apart_and_shared_tables_together():
    catalogs = {env: load_configuration(env)["catalog"] for env in ("exec_2x1", "exec_8x2")}
    for name in ("{family}.{model}.spark_model", "{family}.{model}.metrics", "{model}_run_record"):
        places = {env: catalog[name]["filepath"] for env, catalog in catalogs.items()}
        assert all(env in place for env, place in places.items()), name
    for name in ("images", "features", "extractor_state"):
        assert len({catalog[name]["filepath"] for catalog in catalogs.values()}) == 1, name


@pytest.mark.parametrize(
    "given",
    [
        {"source": "cifar10"},
        {"source_path": "elsewhere"},
        {"train_size": 20},
        {"test_size": 20},
        {"seed": 1},
        {"extractor": "torchvision:resnet18"},
        {"weights_path": "weights.pth"},
        {"weights": "none"},
        {"input_size": 48},
        {"source_options": {"seed": 1}},
        {"validation": {"share": 0.1}},
    ],
)
def test_features_of_other_parameters_lie_apart(given):
    default, other = (load_configuration(runtime_params=p)["catalog"] for p in (None, given))
    assert default["features"]["filepath"] != other["features"]["filepath"]
    for name in ("features_info", "extractor_state"):
        assert default[name]["filepath"] != other[name]["filepath"]


def test_every_path_stays_in_the_data_folder():
    for value in paths(load_configuration()["catalog"]):
        assert "${" not in value and ".." not in value
