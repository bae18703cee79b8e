"""The promise of docs/adding_a_family.md: one folder and one block of YAML, in a copy of the project."""

import re
from pathlib import Path

import pytest
from tests.factories.processes import finish

GUIDE = (Path(__file__).parents[1] / "docs" / "adding_a_family.md").read_text()

pytestmark = pytest.mark.e2e


@pytest.fixture
def with_family(project):
    """Adds the family of the guide, word for word."""
    *modules, block = re.findall(r"```(?:python|yaml)\n(.*?)```", GUIDE, re.S)
    folder = project / re.search(r"`(src/cifar_pipelines/pipelines/\w+/)`", GUIDE)[1]
    folder.mkdir()
    for name, code in zip(("__init__", "family", "pipeline"), modules, strict=True):
        (folder / f"{name}.py").write_text(code)
    (project / re.search(r"`(conf/base/\w+\.yml)`", GUIDE)[1]).write_text(block)
    return project


def test_the_family_of_the_guide_runs_is_compared_and_is_found_again(with_family, start_kedro):
    assert "- majority" in finish(start_kedro("registry", "list"))
    sizes = ("--params", "train_size=60,test_size=20")
    output = finish(start_kedro("run", "--pipelines", "ingestion,majority,comparison", "--env", "exec_1x1", *sizes))
    assert "most_frequent_class" in output
    report = (with_family / "data/08_reporting/comparison/report.md").read_text()
    rows = [line for line in report.splitlines() if line.startswith("| most_frequent_class | exec_1x1 |")]
    assert any("10.0%" in row for row in rows), report
    assert "every other model has to beat it" in report
    # The comparison of a run sees where that run's own time went.
    assert "No application is there" not in report and len(rows) >= 4
    again = ("experiment", "--settings", "exec_1x1", "--pipelines", "ingestion,majority", "--grow-to", "0", *sizes)
    assert finish(start_kedro(*again)).count("skipped") == 2


def test_a_mistake_in_its_block_is_found_before_anything_starts(with_family, start_kedro):
    process = start_kedro(
        "experiment", "--settings", "exec_1x1", "--pipelines", "majority", "--params", "majority.certainty=2.5"
    )
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1 and "majority.certainty is 2.5, but must be above 0" in output
