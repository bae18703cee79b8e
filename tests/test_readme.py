"""What README tells a newcomer to type, typed: on fewer and smaller images, and nothing else changed."""

import re
import shlex

import numpy as np
import pytest
from PIL import Image
from tests.factories.processes import finish

from cifar_pipelines.common.configuration import PROJECT_PATH

SMALLER = (
    "features.options.kmeans_patches.centroids=16,features.options.kmeans_patches.patches=2000,"
    "spark_ml.selected=logistic_regression+random_forest,spark_ml.classifiers.random_forest.params.trees=4"
)


def typed_by(who: str) -> str:
    """The first command in README's row for somebody who has something."""
    rows = re.findall(r"^\| ([^|]+?) \| `([^`]+)`", (PROJECT_PATH / "README.md").read_text(encoding="utf-8"), re.M)
    return next(command for has, command in rows if has.startswith(who))


@pytest.fixture
def folder(tmp_path):
    """Images of two classes, gray ones and some of other sizes among them."""
    draw = np.random.default_rng(7)
    for split, images in (("train", 16), ("test", 6)):
        for shade, name in ((60, "dark"), (190, "light")):
            place = tmp_path / "my images" / split / name
            place.mkdir(parents=True)
            for number in range(images):
                size = (40 + number, 30, 3) if number % 3 else (36, 36)
                pixels = draw.integers(shade - 50, shade + 50, size, np.uint8)
                Image.fromarray(pixels).save(place / f"{number}.png")
    return tmp_path / "my images"


@pytest.mark.e2e
def test_a_folder_of_images_is_learned_compared_and_reported(folder, start_kedro, project):
    command = typed_by("a folder of images").replace("<folder>", f"'{folder}'")
    words = shlex.split(command)[1:]
    run = start_kedro(*words[:-1], f"{words[-1]},{SMALLER}")
    said = finish(run, timeout=240)
    assert run.returncode == 0, said
    comparison = project / "data/08_reporting/comparison"
    reports = sorted(file.name for file in comparison.rglob("report.*") if file.is_file())
    assert reports == ["report.html", "report.md", "report.pdf"], said
    assert "The best model is " in (comparison / "report.html").read_text(encoding="utf-8")
    # The comparison of a run sees where that run's own time went.
    assert "No application is there" not in (comparison / "report.md").read_text(encoding="utf-8")
    assert (comparison / "report.pdf").read_bytes().startswith(b"%PDF") and "data/08_reporting/comparison" in said
