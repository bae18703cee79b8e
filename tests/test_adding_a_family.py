"""The promise of docs/adding_a_family.md: one folder and one block of YAML, in a copy of the project."""

import re
from pathlib import Path

import pytest
from tests.factories.processes import finish, read_until
from tests.factories.runtime import SMALL

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


def test_an_experiment_with_it_goes_from_images_to_report_and_is_found_again(with_family, start_kedro):
    arguments = [
        *("experiment", "--settings", "exec_1x1", "--pipelines", "ingestion,features,majority", "--grow-to", "0"),
        *("--params-of", "test", "--params", SMALL),
    ]
    first = start_kedro(*arguments)
    output = finish(first, 400)
    assert first.returncode == 0, output
    assert re.search(r"\[2/3\] exec_1x1, measurement: \d+ s; most_frequent_class 10.0% of images right", output), output
    assert "The best model is most_frequent_class: it is right on 10.0% of" in output
    folder = with_family / "data/08_reporting/comparison"
    report = (folder / "report.md").read_text()
    assert "kmeans_patches" in report
    rows = [line for line in report.splitlines() if line.startswith("| most_frequent_class | exec_1x1 |")]
    assert any("10.0%" in row for row in rows) and len(rows) >= 4, report
    assert "every other model has to beat it" in report
    assert (folder / "report.pdf").read_bytes().startswith(b"%PDF")
    seen = read_until(start_kedro(*arguments), "[3/3]")
    assert seen.count("skipped") == 2, seen


def test_a_mistake_in_its_block_is_found_before_anything_starts(with_family, start_kedro):
    process = start_kedro(
        "experiment", "--settings", "exec_1x1", "--pipelines", "majority", "--params", "majority.certainty=2.5"
    )
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1 and "majority.certainty is 2.5, but must be above 0" in output
