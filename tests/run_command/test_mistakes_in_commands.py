import pytest
from click.testing import CliRunner
from tests.factories.processes import finish

from cifar_pipelines.cli import cli


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


def test_a_run_without_an_image_to_judge_on_is_refused_before_it_starts(refusal, kedro_run):
    assert "test_size is 0 and validation.share is 0" in refusal("--pipelines", "ingestion", "--params", "test_size=0")
    assert kedro_run("--pipelines", "ingestion", "--params", "test_size=0,validation.share=0.1").started is not None


@pytest.mark.e2e
def test_a_mistake_that_a_node_finds_is_one_message_and_leaves_no_log(start_kedro, project):
    run = start_kedro("run", "-p", "ingestion", "--params", "source=image_folder,source_path=none")
    said = finish(run)
    assert run.returncode == 1
    assert "is not a folder that exists" in said and "Repeat the previous command" not in said
    assert "Traceback" not in said and "WARNING" not in said and not list((project / "logs").glob("*"))
