import gc
import os
import shutil
import subprocess
import sys
import textwrap
from types import SimpleNamespace

import hypothesis
import pytest
from tests.factories.images import encode_image

from cifar_pipelines.common import configuration
from cifar_pipelines.spark.run_context import RunContext

# A small dictionary: the tests ask whether features are right, not whether they are good.
OPTIONS = {"kmeans_patches": {"centroids": 8, "patches": 2000, "mirror": False}}
# The JVMs of tests live for seconds: optimising their code to the last, and verifying Spark's own classes, would take
# a third of the processor time. Their tables have a few rows: compiling a query takes longer than interpreting it.
os.environ["JAVA_TOOL_OPTIONS"] = (
    "-XX:TieredStopAtLevel=1 -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote "
    "-Dspark.sql.codegen.wholeStage=false -Dspark.sql.codegen.factoryMode=NO_CODEGEN"
)
# Two processes test side by side: a second thread of either would wait for a core, and most of the time actively.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# On a busy host an example takes as long as it takes; every run of the tests tries others.
hypothesis.settings.register_profile("unhurried", deadline=None, max_examples=50)
hypothesis.settings.load_profile("unhurried")
os.environ["DO_NOT_TRACK"] = "1"  # copies of the project have no .telemetry file


@pytest.hookimpl(tryfirst=True)  # xdist reads the marks in the same hook
def pytest_collection_modifyitems(items):
    """What takes long begins first: the tests of the shared Spark runtime, then those with processes of their own.

    These tests are two groups, so that two processes with a runtime each have about as much to do.
    """
    for item in items:
        if "spark" in item.fixturenames:
            of_pipelines = "pipelines" in item.path.parts
            item.add_marker(pytest.mark.xdist_group("spark of pipelines" if of_pipelines else "spark"))
    items.sort(
        key=lambda item: 0 if item.get_closest_marker("xdist_group") else 1 if item.get_closest_marker("e2e") else 2
    )


def pytest_collection_finish():
    """What all tests import stays: nobody looks again and again whether it is garbage."""
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """All tests of a group go to one process, the others file by file."""
    from xdist.scheduler import LoadGroupScheduling

    class GroupsAndFiles(LoadGroupScheduling):
        def _split_scope(self, nodeid):
            return super()._split_scope(nodeid).partition("::")[0]

    return GroupsAndFiles(config, log)


@pytest.fixture(autouse=True)
def fresh_configuration(monkeypatch):
    """No test sees the parameters or the configuration folder that another one left behind."""
    monkeypatch.setattr(configuration, "_of_run", None)
    monkeypatch.setattr(configuration, "_followed", None)


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    """The runtime that most tests share; it starts with the first test that asks for it."""
    from tests.factories.runtime import make_runtime

    from cifar_pipelines.engines.bigdl import bigdl_jars

    with make_runtime(2, 1, "1g", tmp_path_factory.mktemp("logs"), bigdl_jars()) as runtime:
        yield runtime


@pytest.fixture(scope="session")
def run_context(spark):
    """The run that nodes are told they are part of."""
    return RunContext("2024-01-02T03.04.05.678Z", spark.info, spark.setting)


@pytest.fixture(scope="session")
def parameters():
    """All parameters of that run."""
    parameters = configuration.load_configuration()["parameters"]
    parameters["features"]["options"] = OPTIONS
    return parameters


@pytest.fixture
def encode():
    """Returns a function that encodes a noise image."""
    return encode_image


@pytest.fixture
def start_python():
    """Returns a function that starts Python code in a process of its own, since a process has one session."""
    started = []

    def start(code, *arguments, cwd=configuration.PROJECT_PATH):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
            cwd=cwd,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def run_python(start_python):
    """Returns a function that runs Python code in a process of its own and returns what it printed."""

    def run(code, *arguments, timeout=120):
        output, _ = start_python(code, *arguments).communicate(timeout=timeout)
        return output

    return run


@pytest.fixture
def project(tmp_path):
    """A copy of the project, so that a run of the command line leaves nothing in this one."""
    folder = tmp_path / "project"
    for part in ("conf", "src"):
        shutil.copytree(configuration.PROJECT_PATH / part, folder / part)
    shutil.copy(configuration.PROJECT_PATH / "pyproject.toml", folder)
    return folder


@pytest.fixture
def start_kedro(start_python, project):
    """Returns a function that starts `kedro <arguments>` in the copy of the project."""
    code = "import sys\nfrom kedro.framework.cli.cli import main\nsys.argv[0] = 'kedro'\nmain()"
    return lambda *arguments: start_python(code, *arguments, cwd=project)


@pytest.fixture(scope="session")
def ingested(spark, run_context, tmp_path_factory):
    """120 training and 30 test images as a table, with what belongs to it."""
    from tests.factories.runtime import ingest

    from cifar_pipelines.pipelines.ingestion import nodes
    from cifar_pipelines.sources.synthetic import SyntheticSource

    source = SyntheticSource(train_images=200, test_images=50)
    manifest = nodes.select_images(nodes.index_source(source), nodes.SubsetSpec(120, 30, 42))
    images, info = ingest(source, manifest, nodes.IngestionSpec("fail"), run_context, tmp_path_factory.mktemp("images"))
    return SimpleNamespace(source=source, manifest=manifest, images=images, info=info)


@pytest.fixture(scope="session")
def extracted(ingested, parameters, run_context):
    """The features of those images by a small dictionary, with what belongs to them."""
    from cifar_pipelines.pipelines.features import nodes
    from cifar_pipelines.pipelines.features.specification import FeaturesSpec, create_checked_extractor

    spec = FeaturesSpec("kmeans_patches", None, 16, "fp32", 16, 2, OPTIONS)
    extractor = create_checked_extractor(spec)
    state = nodes.prepare_extractor(extractor, ingested.images, ingested.info, 42)
    features, info, record = nodes.extract_features(
        ingested.images, ingested.info, extractor, state, spec, parameters, run_context
    )
    return SimpleNamespace(spec=spec, extractor=extractor, state=state, features=features, info=info, record=record)
