import pytest
from tests.factories.records import make_record

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.resolvers import path_suffix
from cifar_pipelines.records import saved_models
from cifar_pipelines.records.saved_models import Wanted, find_model, model_path

OLD, NEW = "2026-01-01T00.00.00.000Z", "2026-02-01T00.00.00.000Z"


@pytest.fixture
def save(tmp_path, monkeypatch):
    """Returns a function that saves a model, with its run record unless it was interrupted; the records are its own."""
    monkeypatch.setattr(saved_models, "PROJECT_PATH", tmp_path)
    records = {}

    def save(
        name="logistic_regression", version=OLD, setting=(2, 1), images="synthetic/train10-test5-seed42", record=True,
        **changes,
    ):  # fmt: skip
        path = f"data/06_models/{images}/kmeans_patches/exec_{setting[0]}x{setting[1]}/{name}/{version}/{name}"
        (tmp_path / path).mkdir(parents=True)
        if record:
            content = make_record(
                name,
                setting,
                artifacts={"model": path},
                run_id=version,
                created=f"{version[:10]}T00:00:00+00:00",
                **changes,
            )
            records[path] = content
        return path

    save.records = records
    return save


@pytest.fixture
def find(save, tmp_path):
    def find(model="logistic_regression", version=None, **learned_from):
        return find_model(save.records, Wanted(model, version, learned_from), tmp_path / "data" / "06_models")

    return find


def test_the_newest_version_is_found_whatever_its_setting(save, find):
    save(version=NEW, setting=(1, 1))
    save(version=OLD)
    found = find()
    assert found.run_id == NEW and model_path(found).is_dir()
    assert find(version=OLD).run_id == OLD


def test_a_model_is_found_by_its_path_and_by_that_of_a_folder_above(save, find, tmp_path):
    path = save(version=OLD)
    save(version=NEW)
    assert find(path).run_id == OLD
    assert find(str(tmp_path / path)).run_id == OLD
    assert find(path.rpartition("/")[0].rpartition("/")[0]).run_id == NEW


def test_an_unknown_model_is_refused_with_the_nearest(save, find):
    save()
    with pytest.raises(
        UserError, match=r"Unknown saved model 'logistic_regresion'. Did you mean 'logistic_regression'"
    ):
        find("logistic_regresion")


def test_a_model_that_was_not_saved_is_told_with_what_to_do(find, save):
    save()
    for created, run_id in (("2025-01-01T00:00:00+00:00", OLD), ("2026-01-01T00:00:00+00:00", NEW)):
        save.records[run_id] = make_record("soft_vote", family="ensemble", artifacts={}, created=created, run_id=run_id)
    with pytest.raises(
        UserError, match=f"The run {NEW} judged soft_vote, one of the ensembles, and an earlier version did not save it"
    ):
        find("soft_vote")
    save.records["features"] = make_record("kmeans_patches", family="features", artifacts={})
    with pytest.raises(UserError, match=r"one of the .*, which predict no new images: name another model"):
        find("kmeans_patches")


def test_without_any_model_it_is_said_how_to_make_one(find):
    with pytest.raises(UserError, match=r"There is none. `kedro run` trains"):
        find()


def test_models_that_learned_from_different_images_are_listed(save, find):
    folder = f"image_folder{path_suffix('/photographs')}/train10-test5-seed42"
    save()
    save(version=NEW, images=folder, data={"source": "image_folder"})
    with pytest.raises(UserError) as refused:
        find()
    said = refused.value.message
    assert "2 saved models fit 'logistic_regression'" in said and "--params source" in said
    assert said.index(f"--version {NEW}: image_folder") < said.index(f"--version {OLD}: synthetic")
    assert find(source="synthetic").run_id == OLD
    assert find(source_path="/photographs").run_id == NEW
    assert find(version=OLD).run_id == OLD


def test_what_no_model_learned_from_is_refused_with_those_that_are_there(save, find):
    save()
    with pytest.raises(UserError, match=f"(?s)has the extractor 'torchvision:vgg16'. There is:.*--version {OLD}"):
        find(extractor="torchvision:vgg16")


def test_an_unknown_version_is_refused_with_the_nearest(save, find):
    save()
    with pytest.raises(UserError, match=f"Unknown version of logistic_regression '2026-01-01'. Did you mean '{OLD}'"):
        find(version="2026-01-01")


def test_a_model_that_an_interrupted_run_saved_is_refused(save, find):
    save(record=False)
    with pytest.raises(UserError, match=f"of {OLD} has no run record: the run that saved it was interrupted"):
        find()
    save(version=NEW)
    with pytest.raises(
        UserError, match=f"The version {OLD} .* has no run record: the run that saved it was interrupted"
    ):
        find(version=OLD)


def test_a_training_that_was_stopped_has_left_no_model(find, tmp_path):
    (tmp_path / "data/06_models/synthetic/images/exec_2x1/airbench_bigdl_checkpoints").mkdir(parents=True)
    with pytest.raises(UserError, match=r"'airbench_bigdl' was stopped before its end.*The same `kedro run` goes on"):
        find("airbench_bigdl")


def test_a_model_that_was_removed_is_refused(save, find, tmp_path):
    (tmp_path / save()).rmdir()
    with pytest.raises(UserError, match=f"of {OLD} is gone: data/06_models/.* is not there any more"):
        find()
