import json
from contextlib import suppress

import psutil
import pytest
from kedro.framework.project import pipelines
from kedro.framework.startup import bootstrap_project
from tests.factories.processes import descendants_of, finish, wait_until

from cifar_pipelines.common.configuration import PROJECT_PATH


@pytest.mark.e2e
def test_kedro_viz_shows_all_pipelines_and_starts_no_jvm(start_kedro, project):
    build = start_kedro("viz", "build")
    seen = set()

    def has_ended():
        with suppress(psutil.NoSuchProcess):
            seen.update(process.name() for process in descendants_of(build))
        return build.poll() is not None

    assert wait_until(has_ended, 120)
    said = finish(build)
    assert build.returncode == 0 and "Warning" not in said, said
    assert "java" not in seen and not (project / "logs").exists()
    shown = {file.name: json.loads(file.read_text()) for file in (project / "build/api/pipelines").iterdir()}
    bootstrap_project(PROJECT_PATH)
    assert shown.keys() == set(pipelines)
    for name, pipeline in pipelines.items():
        tasks = [node for node in shown[name]["nodes"] if node["type"] == "task"]
        assert len(tasks) == len(pipeline.nodes)
