"""The two locks: what `make install` brings is enough for the code that every command imports, and says what else it takes."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tests.test_architecture import SOURCES, imported_at_once, tree_of

from cifar_pipelines import cli
from cifar_pipelines.common import extras
from cifar_pipelines.common.configuration import PROJECT_PATH
from cifar_pipelines.common.errors import UserError


def pinned(name):
    lines = (PROJECT_PATH / name).read_text().splitlines()
    return {canonicalize_name(line.partition("==")[0]) for line in lines if not line.startswith("#")}


BASE, EXTRAS = pinned("requirements.lock"), pinned("requirements-extras.lock")


def needed(distribution):
    """What a distribution needs here, with none of its extras."""
    try:
        found = map(Requirement, requires(distribution) or ())
    except PackageNotFoundError:  # another platform's
        return set()
    return {canonicalize_name(one.name) for one in found if one.marker is None or one.marker.evaluate({"extra": ""})}


def test_no_package_is_in_both_locks_and_each_extra_is_in_one():
    project = tomllib.loads((PROJECT_PATH / "pyproject.toml").read_text())["project"]
    groups = {name: {canonicalize_name(Requirement(one).name) for one in wanted}
              for name, wanted in project["optional-dependencies"].items()}  # fmt: skip
    always = {canonicalize_name(Requirement(one).name) for one in project["dependencies"]}
    assert not BASE & EXTRAS and always | groups.pop("images") | groups.pop("stream") <= BASE
    assert set().union(*groups.values()) <= BASE | EXTRAS and {"kedro-viz", "onnx", "transformers", "pytest"} <= EXTRAS


def test_no_package_of_the_base_needs_one_of_an_extra():
    # Of animal-mnist only the files are read.
    assert {name: found for name in BASE - {"animal-mnist"} if (found := needed(name) & EXTRAS)} == {}


def test_no_module_imports_a_package_of_an_extra_at_once():
    at_once = {name: imported_at_once(tree_of(name)) for name in SOURCES}
    of_extras = {
        name for name, by in packages_distributions().items() if {canonicalize_name(one) for one in by} <= EXTRAS
    }
    assert {"onnx", "transformers"} <= of_extras
    assert {name: found for name, imported in at_once.items() if (found := imported & of_extras)} == {}


def test_what_is_missing_is_named_with_the_command_that_brings_it(monkeypatch):
    extras.require_packages("x", "json")
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    said = re.escape("x needs a, b, which are not installed. Run `make install-extras`, or y.")
    with pytest.raises(UserError, match=said):
        extras.require_packages("x", "a", "b", otherwise=", or y")


def test_kedro_viz_says_what_it_takes_where_it_is_not_installed(monkeypatch):
    assert "viz" not in cli.cli.commands  # kedro-viz has the command
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="kedro viz needs kedro_viz, which is not installed"):
        cli.viz.main(["build", "--include-hooks"], standalone_mode=False)
