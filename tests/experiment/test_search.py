import io
import json

import pandas as pd
import pytest
from rich.console import Console
from tests.factories.records import make_predictions, make_record

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.places import place
from cifar_pipelines.experiment import kept_images
from cifar_pipelines.experiment import search as search_module
from cifar_pipelines.experiment.runner import Outcome, StepRunner
from cifar_pipelines.experiment.search import Found, Search, in_words, ranked
from cifar_pipelines.experiment.search_command import _table
from cifar_pipelines.records.run_record import RunRecord

FLIP, WIDTH = "bigdl_cnn.models.airbench.recipe.flip", "bigdl_cnn.models.airbench.options.width"


def search(*vary, pipeline="bigdl_cnn", params="train_size=2000"):
    return Search.of("exec_2x1", pipeline, vary, params)


def test_every_combination_is_a_run_of_its_own():
    searched = search(f"{FLIP}=true+false", f"{WIDTH}=8+16")
    texts = [searched.experiment(one).params_text for one in searched.combinations]
    assert len(set(texts)) == 4 and all("train_size=2000" in text for text in texts)
    assert searched.experiment(searched.combinations[2]).params == {
        "train_size": 2000,
        "bigdl_cnn": {"models": {"airbench": {"recipe": {"flip": False}, "options": {"width": 8}}}},
    }
    digests = {tuple(searched.experiment(one).expected()["bigdl_cnn"].values()) for one in searched.combinations}
    assert len(digests) == 4


@pytest.mark.parametrize(
    ("vary", "words"),
    [
        ((f"{FLIP}=true",), "names 1 combination of values, but a search needs 2 to 200"),
        ((f"{WIDTH}={'+'.join(map(str, range(1, 202)))}",), "names 201 combinations of values"),
        ((f"{FLIP}=true", f"{FLIP}=false"), r"--vary gives .*flip twice. Join its values by \+"),
        ((FLIP,), "every part must be name=value"),
    ],
)
def test_a_grid_that_is_none_is_refused(vary, words):
    with pytest.raises(UserError, match=words):
        search(*vary)


@pytest.mark.parametrize("name", ["seed=1+2", "validation.share=0.1+0.2", "source_options.depth=1+2"])
def test_what_would_change_the_validation_images_is_refused_before_the_first_run(name):
    with pytest.raises(UserError, match=r"--vary names .*, but all models are compared on the same validation images"):
        search(name, params="validation.share=0.15").check()


@pytest.mark.parametrize(
    ("pipeline", "vary"), [("streaming", "streaming.law.block=64+128"), ("features", "features.precision=fp32+auto")]
)
def test_a_family_that_predicts_no_validation_images_is_refused_before_the_first_run(pipeline, vary):
    with pytest.raises(UserError, match=rf"{pipeline} leaves no predictions of validation images.*bigdl_cnn"):
        search(vary, pipeline=pipeline, params="validation.share=0.15").check()


def test_a_value_that_is_wrong_is_found_before_the_first_run():
    with pytest.raises(UserError, match="flip is 'perhaps', but must be true or false"):
        search(f"{FLIP}=true+perhaps").check()


def test_without_validation_images_nothing_is_searched():
    with pytest.raises(UserError, match=r"No validation images are cut .* and test images must not choose"):
        search(f"{FLIP}=true+false").check()


def save(folder, version, right, ids=None, model="linear_svm"):
    """Leaves predictions of 100 validation images of which so many are right."""
    table = make_predictions(100, skill=9.0)
    table.loc[right:, "prediction"] = (table["label"][right:] + 1) % 10
    table = table.assign(split="validation", image_id=table["image_id"] if ids is None else ids)
    unlabelled = table.head(2).assign(split="predict", label=pd.NA, image_id=["x", "y"])
    file = folder / f"synthetic/{model}/further_predictions.parquet/{version}/further_predictions.parquet"
    file.parent.mkdir(parents=True)
    pd.concat([unlabelled, table.sample(frac=1, random_state=right)]).to_parquet(file)
    return RunRecord.from_json(make_record("linear_svm", run_id=version))


def test_values_are_told_apart_by_as_little_of_their_names_as_does_it():
    assert in_words({FLIP: "true", WIDTH: "8"}) == ["flip=true", "width=8"]
    other = FLIP.replace("airbench", "lenet")
    assert in_words({FLIP: "true", other: "false"}) == ["airbench.recipe.flip=true", "lenet.recipe.flip=false"]
    assert in_words({"a.flip": "1", "flip": "2"}) == ["a.flip=1", "flip=2"]


def test_the_table_cuts_neither_models_nor_values():
    names = ("probe_torch_distributor", {FLIP: "true", WIDTH: "8"}, "run", 398, 0.874, 0.838, 0.903)
    found = [Found(*names, None, 12.4), Found(*names, 0.41, 1401.6)]
    console = Console(width=80, file=io.StringIO())
    console.print(_table(found))
    said = console.file.getvalue()
    for words in ("probe_torch_distributor", "flip=true", "width=8", "83.8% to 90.3%", "[s]", "1402"):
        assert words in said
    assert "…" not in said


def test_validation_images_alone_rank(tmp_path):
    records = [({"a": "1"}, save(tmp_path, "first", 60)), ({"a": "2"}, save(tmp_path, "second", 80))]
    best, other = ranked(records, tmp_path)
    assert (best.values, best.accuracy, best.images, best.p) == ({"a": "2"}, 0.8, 100, None)
    assert (other.run_id, other.accuracy) == ("first", 0.6) and other.p < 0.001
    assert other.low < 0.6 < other.high


def test_runs_without_validation_images_or_with_others_are_refused(tmp_path):
    first = save(tmp_path, "first", 60)
    with pytest.raises(UserError, match="left no predictions of validation images"):
        ranked([({}, first), ({}, RunRecord.from_json(make_record("linear_svm", run_id="other")))], tmp_path)
    second = save(tmp_path, "second", 60, ids=[f"other-{number}" for number in range(100)])
    with pytest.raises(UserError, match="other validation images"):
        ranked([({}, first), ({}, second)], tmp_path)


def test_runs_of_images_that_have_changed_since_are_run_anew_and_not_ranked(tmp_path, monkeypatch):
    """Runs are faked; one of them fails."""
    ran, now = [], ["before"]

    def fake_run(self, step, result=str):
        ran.append(step.what)
        failed = step.what == "flip=false" and now[0] == "after"
        self.outcomes.append(Outcome(step, "failed" if failed else "done"))
        if not failed:
            combination = {FLIP: step.what.removeprefix("flip=")}
            digest = searched.experiment(combination).expected()["bigdl_cnn"]["airbench_bigdl"]
            version = f"v{len(ran)}"
            save(tmp_path / place("outputs_folder"), version, 50 + len(ran), model="airbench_bigdl")
            content = make_record("airbench_bigdl", family="bigdl_cnn", run_id=version, configuration=digest)
            content["data"]["fingerprint"] = now[0]
            file = tmp_path / place("run_records") / f"exec_2x1/airbench_bigdl.json/{version}/airbench_bigdl.json"
            file.parent.mkdir(parents=True)
            file.write_text(json.dumps(content))

    for module in (search_module, kept_images):
        monkeypatch.setattr(module, "PROJECT_PATH", tmp_path)
    monkeypatch.setattr(StepRunner, "run", fake_run)
    monkeypatch.setattr(kept_images.KeptImages, "_found", lambda self: now[0])
    only = "bigdl_cnn.networks=airbench,bigdl_cnn.engines=bigdl,validation.share=0.15"
    searched = search(f"{FLIP}=true+false", params=only)

    def go():
        found, failed, file = search_module.run_search(searched, Console(quiet=True))
        assert json.loads(file.read_text())["failed"] == failed
        return [one.run_id for one in found], failed

    assert go() == (["v2", "v1"], []) and go() == (["v2", "v1"], []) and len(ran) == 2
    now[0] = "after"
    assert go() == (["v3"], ["flip=false"]) and ran[2:] == ["flip=true", "flip=false"]


def test_where_no_test_image_has_a_label_models_are_ranked_by_what_they_are_judged_on(tmp_path):
    file = tmp_path / "synthetic/linear_svm/predictions.parquet/run/predictions.parquet"
    file.parent.mkdir(parents=True)
    make_predictions(50, skill=9.0).to_parquet(file)
    record = RunRecord.from_json(make_record("linear_svm", run_id="run", data={"test_size": 0, "validation_size": 50}))
    (found,) = ranked([({}, record)], tmp_path)
    assert found.images == 50 and found.judged_by_them
    (other,) = ranked([({}, save(tmp_path, "first", 60))], tmp_path)
    assert not other.judged_by_them
