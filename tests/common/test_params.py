import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cifar_pipelines.common import configuration
from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import flatten
from cifar_pipelines.common.params import (
    NUMBER_OR_NULL,
    WHOLE_OR_NULL,
    command_to_run,
    params_text,
    parse_params,
    split_params,
)

RATE = "bigdl_cnn.models.airbench.recipe.learning_rate"
TEXT = st.text("abc0189_./ #:é=+-", min_size=1).map(str.strip).filter(lambda text: text and text != "null")
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
PARAMS = st.fixed_dictionaries(
    {},
    optional={
        "source_path": st.none() | TEXT,
        "run_name": TEXT,
        "extractor": TEXT,
        "train_size": st.integers(),
        "input_size": st.none() | st.integers(),
        "bigdl_cnn.resume": st.booleans(),
        RATE: NUMBER,
        "source_options.open": st.none() | st.booleans() | st.integers() | NUMBER,
    },
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("run_name=0042", "0042"),
        ("run_name=1e5", "1e5"),
        ("run_name=true", "true"),
        ("source_path=data/a #1", "data/a #1"),
        ("source_path=a=b", "a=b"),
        ("source_path=2024", "2024"),
        ("source_path=null", None),
        ("extractor=torchvision:mobilenet_v2", "torchvision:mobilenet_v2"),
        ("spark_ml.selected=linear_svm+decision_tree", "linear_svm+decision_tree"),
        ("train_size=10_000", 10000),
        ("source_options.word=1__000", "1__000"),
        ("source_options.word=1\u0663", "1\u0663"),
        ("input_size=64", 64),
        ("input_size=null", None),
        ("bigdl_cnn.resume=False", False),
        (f"{RATE}=1", 1),
        (f"{RATE}=5e-1", 0.5),
        ("source_options.train_images=60000", 60000),
        ("source_options.level=.5", 0.5),
        ("source_options.word=010", "010"),
        ("source_options.word=null", None),
    ],
)
def test_a_value_has_the_type_that_its_name_has_and_text_stays_text(text, value):
    (read,) = flatten(parse_params(text)).values()
    assert read == value and type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("train_size=010", r"train_size is '010', but must be a whole number or all without zeros before it\."),
        ("train_size=ten", r"train_size is 'ten', but must be a whole number or all\."),
        ("train_size=1.5", "must be a whole number"),
        ("train_size=", "must be a whole number"),
        ("seed=null", "must be a whole number"),
        ("input_size=big", "must be a whole number or null"),
        ("streaming.drift_delta=little", "must be a number or null"),
        ("bigdl_cnn.resume=yes", "must be true or false"),
        (f"{RATE}=fast", "must be a number"),
        (f"{RATE}=1e999", "must be a number"),
        (f"{RATE}=007", "must be a number without zeros before it"),
        ("spark_ml=3", r"it is a block\. Give what lies in it, such as spark_ml\.selected=<value>"),
        ("source_path=${HOME}", r"cannot hold '\$\{'"),
        ("train_size", r"holds 'train_size', but every part must be name=value\.$"),
        ("=5", "every part must be name=value"),
        ("spark_ml.selected=linear_svm,decision_tree", r"join names by \+, as in .*linear_svm\+decision_tree"),
        ("seed=1,seed=2", "gives seed twice, as '1' and as '2'"),
        ("a=1,a.b=2", "to the block that it lies in"),
        ("a.b=1,a=2", "to what lies in it"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_rule(text, words):
    with pytest.raises(UserError, match=words):
        parse_params(text)


def test_blanks_around_commas_and_signs_count_for_nothing_and_a_part_may_be_there_twice():
    assert parse_params(" train_size=5 , seed = 1,,seed=1 ") == {"train_size": 5, "seed": 1}
    assert split_params("source_path=/a b/c, seed=1") == {"source_path": "/a b/c", "seed": "1"}
    assert parse_params("") == {}


@given(PARAMS)
def test_what_is_written_is_read_back(values):
    assert flatten(parse_params(params_text(values))) == values


def test_the_type_of_every_null_of_the_configuration_is_known():
    nulls = {name for name, value in flatten(load_configuration("base")["globals"]).items() if value is None}
    nulls |= {name for name, value in flatten(load_configuration("base")["parameters"]).items() if value is None}
    text = {"source_path", "weights", "weights_path", "run_name", "validation.group", "validation.table", "leaks.group"}
    text |= {"report.author", "report.roll_number"}
    repeats = {"data.path", "features.weights", "features.weights_path", "features.input_size"}
    repeats |= {f"transfer.models.mobilenet_v2_{name}.weights" for name in ("probe", "tuned")}
    assert nulls == text | {*WHOLE_OR_NULL, *NUMBER_OR_NULL} | repeats


@pytest.mark.parametrize(
    ("value", "typed"), [(["a", "b"], "a+b"), ("x", "x"), (None, "null"), (True, "true"), (0.5, "0.5")]
)
def test_values_are_as_one_types_them(value, typed):
    assert params_text({"block": {"name": value}}) == f"block.name={typed}"


def test_a_command_to_paste_repeats_what_was_given_and_is_quoted(tmp_path):
    assert command_to_run("ingestion", "features") == "kedro run --pipelines ingestion,features"
    given = {"source_path": "my images", "spark_ml": {"repeats": 3}, "input_size": None}
    configuration.follow(load_configuration("exec_2x1", given))
    assert command_to_run("features") == (
        "kedro run --pipelines features --env exec_2x1 --params "
        "'source_path=my images,spark_ml.repeats=3,input_size=null'"
    )
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "globals.yml").write_text(json.dumps({"seed": 1}))
    configuration.follow(load_configuration(source=tmp_path))
    assert command_to_run("features") == f"kedro run --pipelines features --conf-source {tmp_path}"
