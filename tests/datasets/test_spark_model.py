from pathlib import Path

import pytest
from kedro.io import DatasetError, Version

from cifar_pipelines.classifiers import Task, create_estimator
from cifar_pipelines.datasets import SparkModelDataset

TASK = Task(features=2, classes=3, seed=0, cores=2)
OLD, NEW = "2024-01-01T00.00.00.000Z", "2024-01-02T00.00.00.000Z"
PARAMS = {
    "gaussian_naive_bayes": {},
    "linear_svm": {"max_iter": 2},
    "multilayer_perceptron": {"hidden": 2, "max_iter": 2},
}


@pytest.fixture(scope="module")
def table(spark):
    from pyspark.ml.linalg import Vectors

    rows = [(float(i % 3), Vectors.dense(i % 3 + 0.01 * i, -(i % 3))) for i in range(12)]
    return spark.session.createDataFrame(rows, ["label", "features"]).coalesce(1)


@pytest.fixture(scope="module")
def models(table):
    """A plain model, a one-vs-rest model and a pipeline model."""
    return {name: create_estimator(name, TASK, params).fit(table) for name, params in PARAMS.items()}


@pytest.fixture
def make(tmp_path):
    """Returns a function that makes the dataset: the version to load, the version to save."""

    def make_dataset(load=None, save=None):
        return SparkModelDataset(filepath=str(tmp_path / "model"), version=Version(load, save))

    return make_dataset


def scores(model, table):
    return [row["rawPrediction"] for row in model.transform(table).select("rawPrediction").collect()]


@pytest.mark.parametrize("name", PARAMS)
def test_a_model_that_is_loaded_back_predicts_the_same(name, models, table, tmp_path):
    folder = tmp_path / "a space, a comma [and] {é,*}"
    folder.mkdir()
    dataset = SparkModelDataset(filepath=str(folder / "model"))
    dataset.save(models[name])
    saved = dataset.load()
    assert type(saved.model) is type(models[name])
    assert scores(saved.model, table) == scores(models[name], table)
    assert Path(saved.path) == folder / "model"
    assert saved.size_bytes == sum(f.stat().st_size for f in Path(saved.path).rglob("*") if f.is_file()) > 0
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]  # no stray one beside it
    assert [path.name for path in folder.iterdir()] == ["model"]


def test_the_newest_version_is_loaded_unless_another_is_asked_for(make, models, table, tmp_path):
    make(save=OLD).save(models["gaussian_naive_bayes"])
    make(save=NEW).save(models["linear_svm"])
    assert Path(make().load().path) == tmp_path / "model" / NEW / "model"
    old = make(load=OLD).load()
    assert type(old.model) is type(models["gaussian_naive_bayes"])


def test_what_an_interrupted_run_left_is_not_taken_for_a_model(make, models, tmp_path):
    make(save=OLD).save(models["gaussian_naive_bayes"])
    (tmp_path / "model" / NEW).mkdir()
    (tmp_path / "model" / OLD / "model").rename(tmp_path / "model" / NEW / "model.4711.partial")
    with pytest.raises(DatasetError, match="Did not find any versions"):
        make().load()
    make(save=OLD).save(models["gaussian_naive_bayes"])
    assert OLD in make().load().path


def test_a_model_without_its_mark_of_success_is_passed_over(make, models, tmp_path):
    for version in (OLD, NEW):
        make(save=version).save(models["gaussian_naive_bayes"])
    (tmp_path / "model" / NEW / "model" / "metadata" / "_SUCCESS").unlink()
    assert OLD in make().load().path


def test_a_leftover_does_not_hinder_the_next_save(make, models, tmp_path):
    leftover = tmp_path / "model" / OLD / "model.4711.partial"
    leftover.mkdir(parents=True)
    (leftover / "half").touch()
    make(save=OLD).save(models["gaussian_naive_bayes"])
    assert make().load().model.numFeatures == TASK.features


def test_a_version_is_never_overwritten(make, models, tmp_path):
    make(save=OLD).save(models["gaussian_naive_bayes"])
    with pytest.raises(DatasetError, match=r"must not exist"):
        make(save=OLD).save(models["linear_svm"])
    assert make().load().model.numFeatures == TASK.features


def test_a_model_without_versions_is_never_overwritten(models, tmp_path):
    dataset = SparkModelDataset(filepath=str(tmp_path / "model"))
    dataset.save(models["gaussian_naive_bayes"])
    with pytest.raises(DatasetError, match="exists already; a version is never overwritten"):
        dataset.save(models["gaussian_naive_bayes"])


def test_a_saved_model_exists(models, tmp_path):
    dataset = SparkModelDataset(filepath=str(tmp_path / "model"))
    assert not dataset.exists()
    dataset.save(models["gaussian_naive_bayes"])
    assert dataset.exists()


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}"])
def test_a_model_that_does_not_say_its_class_is_said_to_be_damaged(damage, make, models):
    make(save=OLD).save(models["gaussian_naive_bayes"])
    saved = make().load()
    next((Path(saved.path) / "metadata").glob("part-*")).write_text(damage)
    with pytest.raises(
        DatasetError, match=r"model in .*/model does not say of which class it is \(.+\): it is damaged\. Put"
    ):
        _ = saved.model
