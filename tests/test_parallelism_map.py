from pathlib import Path

from cifar_pipelines.report.parallelism_map import parallelism_document

ROOT = Path(__file__).parents[1]


def test_the_map_is_in_step_with_the_code():
    written = (ROOT / "docs" / "parallelism.md").read_text()
    assert written == parallelism_document(ROOT / "src" / "cifar_pipelines"), "run `kedro parallelism --write`"


def test_a_mark_names_file_function_and_text(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "room.py").write_text("def work():\n    # PARALLEL(executors): every task sums.\n    return 1\n")
    last = parallelism_document(package).splitlines()[-1]
    assert last == "| [room.py](../src/package/room.py), `work` | executors | every task sums. |"


def test_every_classifier_and_every_spark_job_of_a_pipeline_is_marked():
    document = (ROOT / "docs" / "parallelism.md").read_text()
    for file in (ROOT / "src" / "cifar_pipelines" / "classifiers").glob("[a-z]*.py"):
        assert f"classifiers/{file.name}" in document
    for file in (ROOT / "src" / "cifar_pipelines" / "pipelines").rglob("nodes.py"):
        if "mapInArrow" in file.read_text():
            assert f"{file.parent.name}/nodes.py" in document
