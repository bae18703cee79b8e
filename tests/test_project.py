import inspect
import io
import logging
import subprocess
import sys

import pytest
import yaml
from kedro.framework.project import pipelines
from kedro.framework.startup import bootstrap_project
from kedro.logging import RichHandler
from rich.console import Console

from cifar_pipelines.common.configuration import PROJECT_PATH
from cifar_pipelines.hooks import SPARK_TAG

ON_REQUEST = {"deployment", "ensemble", "leaks", "streaming", "transfer"}
NAMES = {"__default__", "bigdl_cnn", "comparison", "features", "ingestion", "spark_ml", *ON_REQUEST}
SPARK_TABLES = {"images", "features", "train_table", "test_table", "spark_model"}
SPARK_CALLS = ("active_session", "make_record", "run_context.cluster")


@pytest.fixture(scope="module")
def registered():
    bootstrap_project(PROJECT_PATH)
    return dict(pipelines)


def source_of(node):
    """The source of the function behind a node, whatever wraps it, and of what it calls in its module."""
    function = inspect.unwrap(node.func)
    module = sys.modules[function.__module__]
    called = [getattr(module, name, None) for name in function.__code__.co_names]
    own = [f for f in called if inspect.isfunction(f) and f.__module__ == module.__name__]
    return "".join(inspect.getsource(f) for f in (function, *own))


def touches_spark(node):
    tables = {name.rpartition(".")[2] for name in (*node.inputs, *node.outputs)}
    return bool(tables & SPARK_TABLES) or any(call in source_of(node) for call in SPARK_CALLS)


def test_the_pipelines_are_these(registered):
    assert set(registered) == NAMES


def test_the_default_pipeline_is_all_that_run_unasked(registered):
    everything = {node.name for name in NAMES - ON_REQUEST - {"__default__"} for node in registered[name].nodes}
    assert {node.name for node in registered["__default__"].nodes} == everything


def test_the_default_pipeline_starts_from_the_source_alone(registered):
    free = {
        name
        for name in registered["__default__"].inputs()
        if not name.startswith("params:") and not name.endswith(".checkpoints")
    }
    assert free == {
        *("applications", "fit_forecasts", "image_parts", "image_source", "kept_classifier_survey", "parameters"),
        *("reporting_folder", "run_context", "run_records"),
        *(f"{name}_run_records" for name in ON_REQUEST),
    }


def test_the_comparison_comes_after_every_run_record(registered):
    order = [node.name for node in registered["__default__"].nodes]
    records = [name for name in order if name.endswith("write_run_record")]
    assert records and max(map(order.index, records)) < order.index("comparison.compare_runs")


def test_listing_pipelines_imports_no_heavy_library():
    code = (
        "import sys\n"
        "from kedro.framework.project import pipelines\n"
        "from kedro.framework.startup import bootstrap_project\n"
        f"bootstrap_project({str(PROJECT_PATH)!r})\n"
        f"assert set(pipelines) == {NAMES!r}\n"
        "print(sorted({'pyspark', 'scipy', 'sklearn', 'torch', 'torchvision'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT_PATH)
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stdout + done.stderr


def test_what_a_command_says_is_the_same_in_a_folder_of_the_project(tmp_path):
    code = (
        "import logging\n"
        "from kedro.framework.startup import bootstrap_project\n"
        f"bootstrap_project({str(PROJECT_PATH)!r})\n"
        "from kedro.framework.project import settings\n"
        "settings.HOOKS\n"
        "print(logging.getLogger('kedro').level == logging.WARNING)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1:] == ["True"], done.stdout + done.stderr


def test_every_node_has_a_name_of_its_own(registered):
    for made in registered.values():
        names = [node.name for node in made.nodes]
        assert all(node._name for node in made.nodes) and len(set(names)) == len(names)


def test_every_node_carries_the_tag_of_its_pipeline(registered):
    for name in NAMES - {"__default__"}:
        assert all(name in node.tags for node in registered[name].nodes)


def test_nodes_that_touch_spark_carry_its_tag_and_no_others(registered):
    nodes = registered["__default__"].nodes
    tagged = {node.name for node in nodes if SPARK_TAG in node.tags}
    assert tagged == {node.name for node in nodes if touches_spark(node)}
    assert "ingestion.write_images" in tagged and "ingestion.index_source" not in tagged


def test_a_name_with_brackets_is_logged_as_it_is():
    settings = yaml.safe_load((PROJECT_PATH / "conf" / "logging.yml").read_text())["handlers"]["rich"]
    printed = io.StringIO()
    handler = RichHandler(
        console=Console(file=printed, width=100),
        **{key: settings[key] for key in settings.keys() - {"class", "formatter"}},
    )
    handler.handle(logging.LogRecord("a", logging.INFO, "", 0, "the folder [red] of [/x]", None, None))
    assert "the folder [red] of [/x]" in printed.getvalue()


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("docs/using_it.md", "`conf/local` counts only in runs without `--env`"),
        ("docs/using_it.md", "`kedro package` packs the code without `conf/`"),
        ("docs/image_folders.md", "the orientation in a photograph's EXIF"),
        ("docs/image_folders.md", "transparent parts | lie on white"),
        ("docs/image_folders.md", "the same picture in two splits"),
        ("docs/image_folders.md", "as deep below the class as they like"),
    ],
)
def test_what_people_stumble_over_is_said(file, words):
    assert words in (PROJECT_PATH / file).read_text(encoding="utf-8")
