"""The promise of docs/adding_a_source.md: a source, an extractor or an engine is one file."""

import pickle
import re
import sys
from pathlib import Path

import pytest

from cifar_pipelines import engines, extractors, learners, sources
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.images import examine
from cifar_pipelines.common.own_code import CodeError

GUIDE = Path(__file__).parents[2] / "docs" / "adding_a_source.md"
EXTRACTOR = """
from cifar_pipelines.extractors import register
from cifar_pipelines.extractors.kmeans_patches import KMeansPatches

@register
class Edges(KMeansPatches):
    def __init__(self, variant="", weights=None, input_size=None, *, threshold: float = 0.5):
        super().__init__("", weights, input_size)
        self.variant, self.threshold = variant, threshold
"""
ENGINE = """
from cifar_pipelines.engines import register
from cifar_pipelines.engines.torch_distributor import TorchDistributorEngine

@register
class Hand(TorchDistributorEngine):
    def describe(self):
        return "by hand"
"""


@pytest.fixture
def add(tmp_path, monkeypatch):
    """Returns a function that adds a file to a package, for one test."""
    added = []

    def add(package, name, code):
        (tmp_path / f"{name}.py").write_text(code)
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
        added.append((package, name))

    yield add
    for package, name in added:
        package._registry._things.pop(name, None)
        sys.modules.pop(f"{package.__name__}.{name}", None)


def test_the_source_of_the_guide_is_found_read_and_pickled(add):
    name = re.search(r"`src/cifar_pipelines/sources/(\w+)\.py`", GUIDE.read_text())[1]
    add(sources, name, re.search(r"```python\n(.*?)```", GUIDE.read_text(), re.S)[1])
    source = pickle.loads(pickle.dumps(sources.open_source(name, options={"images": 6})))
    index = source.index("test")
    [(image_id, image)] = source.read(index["image_id"][:1])
    assert len(index) == 6 and image_id == "test/0" and examine(image)[:3] == (32, 32, None)
    assert set(source.describe()) == set(sources.open_source("synthetic").describe())
    assert name in sources.names() and sources.needed_parameters(name) == {}
    with pytest.raises(UserError, match=rf"'image'\. Did you mean 'images'.* of the source '{name}'"):
        sources.open_source(name, options={"image": 5})


def test_an_extractor_is_one_file_with_variants_behind_a_colon(add):
    add(extractors, "edges", EXTRACTOR)
    made = extractors.create_extractor("edges:sobel", input_size=20, options={"threshold": 1})
    assert (made.variant, made.input_size, made.threshold) == ("sobel", 20, 1.0)
    assert pickle.loads(pickle.dumps(made)).variant == "sobel"
    assert extractors.options_of("edges:sobel", {"edges": {"threshold": 2}}) == {"threshold": 2}


def test_an_engine_is_one_file(add):
    add(engines, "hand", ENGINE)
    assert "hand" in engines.engine_names() and engines.create_engine("hand").describe() == "by hand"


def test_every_file_in_a_folder_of_things_is_one_of_them():
    assert engines.engine_names() == ["bigdl", "local", "torch_distributor"]
    assert extractors.names() == ["kmeans_patches", "pixels", "tfidf", "timm", "torchvision", "transformers"]
    assert sources.names() == ["animals", "cifar10", "image_folder", "imdb", "synthetic", "text_folder", "text_table"]
    for name in sources.names():
        assert sources.find(name).name == name


def test_a_file_that_cannot_be_imported_is_named_with_its_error(add):
    add(learners, "mine", "import nothing_of_that_name\n")
    with pytest.raises(
        CodeError, match=r"^learners/mine\.py cannot be imported\. ModuleNotFoundError: No module named"
    ):
        learners.find("mine")
