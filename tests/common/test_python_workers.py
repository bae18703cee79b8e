import subprocess
import sys

import pytest

from cifar_pipelines.common.python_workers import IN_WORKER

LOOK = "import cifar_pipelines, gc, zipimport; gc.collect(); print(zipimport.zipimporter.invalidate_caches.__name__, gc.get_freeze_count() > 0)"


@pytest.mark.parametrize(
    ("environment", "said"), [({IN_WORKER: "x"}, "_nothing True"), ({}, "invalidate_caches False")]
)
def test_only_a_python_worker_of_spark_keeps_what_it_knows_of_archives_and_modules(environment, said):
    found = subprocess.run([sys.executable, "-c", LOOK], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == said
