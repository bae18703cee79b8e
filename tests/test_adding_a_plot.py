"""The promise of docs/adding_a_plot.md: one file."""

import re
import sys
from pathlib import Path

import pytest
from tests.factories.records import make_grown_study
from tests.factories.report import content_of, loaders

from cifar_pipelines import plots
from cifar_pipelines.pipelines.comparison import create_pipeline
from cifar_pipelines.pipelines.comparison.nodes import compare_runs
from cifar_pipelines.plots import registry
from cifar_pipelines.report.chapters.every_study import tell_every_study
from cifar_pipelines.report.chapters.laboratory.questions import answer_questions
from cifar_pipelines.report.document.blocks import Figure, walk

GUIDE = (Path(__file__).parents[1] / "docs" / "adding_a_plot.md").read_text()
CODE = re.search(r"```python\n(.*?)```", GUIDE, re.S)[1]


@pytest.fixture
def add(tmp_path, monkeypatch):
    """Adds a module of plots in a folder of its own."""
    monkeypatch.setattr(plots, "__path__", [*plots.__path__, str(tmp_path)])
    yield lambda name, code: (tmp_path / f"{name}.py").write_text(code)
    for file in tmp_path.glob("of_*.py"):
        sys.modules.pop(f"cifar_pipelines.plots.{file.stem}", None)


def figures_in(blocks):
    return [block.name for block in walk(blocks) if isinstance(block, Figure)]


def test_the_plot_of_the_guide_gets_a_node_and_a_file(add):
    add(re.search(r"`src/cifar_pipelines/plots/(\w+)\.py`", GUIDE)[1], CODE)
    (node,) = (node for node in create_pipeline().nodes if node.name == "comparison.plot_cost")
    assert (node.inputs, node.outputs) == (["study_table"], ["comparison_cost_plot"])
    (plot,) = (plot for plot in registry.comparison_plots() if plot.name == "cost")
    assert f"data/08_reporting/comparison/{plot.file}" in GUIDE
    table, *_ = compare_runs(loaders(make_grown_study()))
    assert len(plot.draw(table).axes[0].lines) == table.loc[table["family"] != "features", "label"].nunique()


def test_the_plot_of_the_guide_stands_in_its_section(add, tmp_path):
    add("of_cost", CODE)
    content = content_of(make_grown_study(), tmp_path)
    answers = {section.key: section.blocks for section in answer_questions(content).blocks}
    assert "cost.png" in figures_in(answers["A15"])
    assert "cost.png" in figures_in(tell_every_study(content).blocks)


def test_a_plot_of_no_known_section_is_not_lost(add, tmp_path):
    add("of_cost", CODE.replace('section="resources"', 'section="nowhere"'))
    document = answer_questions(content_of(make_grown_study(), tmp_path))
    answers = {section.key: section.blocks for section in document.blocks}
    assert figures_in(answers["further"]) == ["cost.png"]


def test_every_key_that_the_guide_names_is_one_that_an_answer_shows(add, tmp_path):
    named = re.findall(r"^\| (`.*?) \|.*\| (A\d+) \|$", GUIDE, re.M)
    keys = {key: question for keys, question in named for key in re.findall(r"`(\w+)`", keys)}
    assert len(keys) > 8
    for key in keys:
        code = CODE.replace('"cost"', f'"cost_{key}"').replace('section="resources"', f'section="{key}"')
        add(f"of_cost_{key}", code)
    document = answer_questions(content_of(make_grown_study(), tmp_path))
    answers = {section.key: figures_in(section.blocks) for section in document.blocks}
    for key, question in keys.items():
        assert f"cost_{key}.png" in answers[question], key
