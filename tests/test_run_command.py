import json
import re
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner
from omegaconf import OmegaConf
from tests.factories.processes import finish

from cifar_pipelines import preflight, run_command
from cifar_pipelines.cli import cli
from cifar_pipelines.common import configuration
from cifar_pipelines.common.configuration import (
    PROJECT_PATH,
    check_runtime_params,
    load_configuration,
    names_of_parameters,
)
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.params import parse_params
from cifar_pipelines.sources import open_source
from cifar_pipelines.spark.environment import setting_under

EVERYTHING = ["ingestion", "features", "spark_ml", "comparison"]
Typed = namedtuple("Typed", ["output", "started"])


@pytest.fixture
def kedro_run(tmp_path, monkeypatch):
    """Returns a function that types `kedro run <arguments>` in an empty folder; the run itself does not start."""
    started = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(preflight, "PROJECT_PATH", tmp_path)
    monkeypatch.setattr(run_command.kedro_run, "callback", lambda **options: started.append(options))
    monkeypatch.delenv("KEDRO_ENV", raising=False)

    def kedro_run(*arguments):
        started.clear()
        configuration.follow(None)
        result = CliRunner().invoke(cli, ["run", *arguments], catch_exceptions=False)
        assert result.exit_code in ((0,) if started else (1, 2)), result.output
        return Typed(" ".join(result.output.split()), started[0] if started else None)

    return kedro_run


@pytest.fixture
def refusal(kedro_run):
    """Returns a function that types a command that is refused, and returns what is said."""

    def refusal(*arguments):
        typed = kedro_run(*arguments)
        assert typed.started is None
        return typed.output

    return refusal


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


def test_parameters_that_are_given_twice_are_merged_and_have_their_types(kedro_run, tmp_path):
    typed = kedro_run("--params", "train_size=2000, test_size=50", "--params", "run_name=0042")
    assert typed.started["params"] == {"train_size": 2000, "test_size": 50, "run_name": "0042"}
    (tmp_path / "run.yml").write_text("run: {pipelines: ingestion, params: {train_size: 30, spark_ml: {repeats: 2}}}")
    typed = kedro_run("--config", "run.yml")
    assert typed.started["params"] == {"train_size": 30, "spark_ml": {"repeats": 2}}
    assert typed.started["pipelines"] == ["ingestion"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--pipelines", "spark-ml"], "Error: Unknown pipeline 'spark-ml'. Did you mean 'spark_ml'?"),
        (["--pipeline", "features", "--pipelines", "spark_ml"], "--pipeline and --pipelines are both given."),
        (["--pipelines", " , "], "names no pipeline"),
        (["--env", "exec_2x1", "-e", "exec_2x2"], "--env is given 2 times. Give it once"),
        (["--tags", "spark", "--tags", "features"], "--tags is given 2 times"),
        (["--params", "seed=1", "--params", "seed=2"], "gives seed twice, as '1' and as '2'"),
        (["--async"], "--async cannot work here: all nodes of a run share one Spark session."),
        (["--runner-params", "is_async=True"], "--async cannot work here"),
        (["--runner", "ThreadRunner"], "nodes run one after another here"),
        (["--runner", "ParallelRunner"], "nodes run one after another here"),
        (["--runner-params", "max_workers=2"], "nodes run one after another here"),
        (["--load-versions", "images"], "Expected the form of 'load_versions'"),
        (["--config", "run.yml"], "must hold the options of a run below `run`"),
        (["--conf-source", "run.yml"], "must be a folder"),
        (["--conf-source", "."], "must be a folder with a folder base in it"),
        (["--env", "exec_8x3"], "spark.cores.max = 8 is not divisible by spark.executor.cores = 3"),
        (["--params", "subset.train_size=5"], "Give train_size instead"),
        (["--params", "train_size=0"], "train_size is 0, but must be a whole number of at least 1"),
        (["--params", "source=cifar"], "Unknown source 'cifar'. Did you mean 'cifar10'"),
        (["--pipelines", "spark_ml", "--params", "spark_ml.selected=a"], "Unknown classifier 'a'"),
        (
            ["--params", "spark_ml.selected=random_forest,spark_ml.classifiers.random_forest.params.trees=0"],
            "The option 'trees' of the classifier 'random_forest' is 0, but must be a number from 1 to 100000.",
        ),
        (
            ["--nodes", "ingestion.write_image"],
            "Unknown node 'ingestion.write_image'. Did you mean 'ingestion.write_images'",
        ),
        (["--from-nodes", "nothing"], "Unknown node 'nothing'"),
        (["--tags", "sparks"], "Unknown tag 'sparks'. Did you mean 'spark'"),
        (["--namespaces", "spark"], "Unknown namespace 'spark'. Did you mean 'spark_ml'"),
        (["--to-outputs", "image"], "Unknown dataset 'image'. Did you mean 'images'"),
        (["--pipelines", "ingestion", "--tags", "features"], "Unknown tag 'features'"),
        (["--tags", "comparison", "--nodes", "ingestion.write_images"], "No node of these pipelines fits all"),
    ],
)
def test_a_mistake_is_one_message_before_anything_starts(refusal, tmp_path, arguments, words):
    (tmp_path / "run.yml").write_text("pipelines: ingestion")
    assert words in refusal(*arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["run.yml"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["experiment", "--repeats", "2", "--repeats", "3"], "--repeats is given 2 times"),
        (["experiment", "--grow-to", "-5"], "Invalid value for '--grow-to': -5 is not in the range x>=0"),
        (["search", "spark_ml", "--vary", "seed"], "--vary holds 'seed', but every part must be name=value"),
        (["experiment", "--params", "train_sizes=5", "--params", "seed=1"], "Unknown parameter 'train_sizes'"),
        (["submit", "--master", "a", "--run-name", "b", "--params", "a=1", "--params", "a=2"], "gives a twice"),
    ],
)
def test_other_commands_refuse_what_they_would_have_to_drop_or_guess(arguments, words):
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code in (1, 2) and words in result.output


@pytest.fixture
def other_conf(tmp_path):
    """A copy of the configuration with another seed, budget and parameter, and a setting of its own."""
    folder = tmp_path / "other"
    shutil.copytree(PROJECT_PATH / "conf", folder)
    globals_ = folder / "base" / "globals.yml"
    globals_.write_text(globals_.read_text().replace("seed: 42", "seed: 7\nnew_one: 1").replace("cores: 8", "cores: 9"))
    (folder / "exec_3x1").mkdir()
    block = {"cores_max": 3, "executor_cores": 1, "executor_memory": "1g"}
    (folder / "exec_3x1" / "globals.yml").write_text(json.dumps({"parallelism": block}))
    return folder


def test_another_configuration_folder_is_followed_throughout(kedro_run, refusal, other_conf):
    typed = kedro_run("--conf-source", "other", "--env", "exec_3x1", "--params", "new_one=2")
    assert typed.started["conf_source"] == str(other_conf) and typed.started["params"] == {"new_one": 2}
    assert configuration.run_parameters()["subset"]["seed"] == 7
    assert load_configuration()["globals"]["seed"] == 7
    assert "Unknown environment 'exec_3x1'" in refusal("--env", "exec_3x1")
    assert "Unknown parameter 'new_one'" in refusal("--params", "new_one=2")


def test_experiments_and_submissions_follow_another_configuration_folder_and_hand_it_on(monkeypatch, other_conf):
    seen = []

    def see(plan, *_):
        seen.append(load_configuration()["globals"]["seed"])
        seen.extend(step.arguments()[-2:] for step in plan.steps())
        return [], None

    monkeypatch.setattr("cifar_pipelines.experiment.run.run_experiment", see)
    monkeypatch.setattr("cifar_pipelines.submission.submit.Submission.check", lambda self: see(_Steps(self)))
    monkeypatch.setattr("cifar_pipelines.submission.submit.run_submission", _stop)
    handed_on = ["--conf-source", str(other_conf)]
    measured = ["experiment", "--settings", "exec_1x1", "--pipelines", "features", *handed_on]
    assert CliRunner().invoke(cli, measured).exit_code == 0
    CliRunner().invoke(cli, ["submit", "--master", "spark://h:7077", "--run-name", "a", *handed_on])
    assert seen == [7, handed_on, 7, handed_on]
    assert load_configuration()["globals"]["seed"] == 42
    refused = CliRunner().invoke(cli, [*measured[:-1], "nowhere"])
    assert refused.exit_code == 1 and "--conf-source is 'nowhere', but must be a folder" in refused.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["settings"], "exec_3x1"),
        (["plan"], "within 9 cores"),
        (
            ["search", "bigdl_cnn", "--vary", "train_size=1000+2000", "--env", "exec_3x1"],
            "No validation images are cut",
        ),
        (["predict", "lenet_nowhere", "{images}", "--env", "exec_3x1"], "lenet_nowhere"),
        (["stream", "serve", "--params", "new_one=2,train_size=60000"], "60,000 training images are more"),
    ],
)
def test_every_command_follows_another_configuration_folder(other_conf, tmp_path, arguments, words):
    (tmp_path / "a.png").write_bytes(b"")
    typed = [argument.format(images=tmp_path) for argument in arguments]
    assert words in CliRunner().invoke(cli, [*typed, "--conf-source", str(other_conf)]).output
    assert configuration.followed() is None
    assert words not in CliRunner().invoke(cli, typed).output


class _Steps(list):
    def __init__(self, submission):
        super().__init__([submission])

    def steps(self):
        return self


def _stop(*_):
    raise UserError("not submitted")


def test_nobody_is_advised_to_go_on_from_a_node_because_the_same_command_does(kedro_run, caplog):
    kedro_run("--pipelines", "ingestion")
    caplog.set_level("WARNING", "kedro.runner")
    SequentialRunner()._suggest_resume_scenario(Pipeline([]), [], None)
    assert not caplog.records


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


def test_a_run_without_an_image_to_judge_on_is_refused_before_it_starts(refusal, kedro_run):
    assert "test_size is 0 and validation.share is 0" in refusal("--pipelines", "ingestion", "--params", "test_size=0")
    assert kedro_run("--pipelines", "ingestion", "--params", "test_size=0,validation.share=0.1").started is not None


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


@pytest.mark.e2e
def test_a_mistake_that_a_node_finds_is_one_message_and_leaves_no_log(start_kedro, project):
    run = start_kedro("run", "-p", "ingestion", "--params", "source=image_folder,source_path=none")
    said = finish(run)
    assert run.returncode == 1
    assert "is not a folder that exists" in said and "Repeat the previous command" not in said
    assert "Traceback" not in said and "WARNING" not in said and not list((project / "logs").glob("*"))
