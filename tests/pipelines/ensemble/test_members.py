from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from tests.factories.records import CLASS_NAMES, make_predictions, make_record

from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.pipelines.ensemble import choosing, family, nodes
from cifar_pipelines.pipelines.ensemble.choosing import make_choosing, predict_held_out
from cifar_pipelines.pipelines.ensemble.members import Joined, find_members, join
from cifar_pipelines.pipelines.ensemble.out_of_fold import Penalty, out_of_fold
from cifar_pipelines.pipelines.ensemble.saved import Ensemble, Member
from cifar_pipelines.pipelines.ensemble.specification import EnsembleSpec
from cifar_pipelines.pipelines.ensemble.votes import VOTES
from cifar_pipelines.records import saved_models
from cifar_pipelines.records.saved_predictions import read_predictions

FINGERPRINT = "0123456789012345"  # of the records of the factory
INFO = {
    "fingerprint": FINGERPRINT, "class_names": list(CLASS_NAMES), "test_size": 40, "validation_size": 20, "predict_size": 3
}  # fmt: skip
RUN = "2026-11-20T10.58.11.000Z"


def even(vote):
    """Both members of the project count the same."""
    return Ensemble(vote, tuple(Member(name, name, RUN, 0.5) for name in ("linear_svm", "random_forest")))


def spec(**changes):
    block = {"members": ["linear_svm", "random_forest"], "votes": ["soft", "weighted"], "choose_on": "validation"}
    return EnsembleSpec(**block | {"folds": 5, "rounds": 10} | changes)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project in which two models were trained, one much better than the other, and left predictions."""
    monkeypatch.setattr(saved_models, "PROJECT_PATH", tmp_path)
    records, outputs = {}, tmp_path / "data/07_model_output"
    for seed, (name, skill) in enumerate({"linear_svm": 3.0, "random_forest": 0.5}.items()):
        path = f"data/06_models/synthetic/all/kmeans_patches/exec_2x1/{name}/{RUN}/{name}"
        (tmp_path / path).mkdir(parents=True)
        records[name] = make_record(name, artifacts={"model": path}, run_id=RUN)
        further = make_predictions(20, skill=skill, seed=seed + 9).assign(split="validation")
        unlabelled = make_predictions(3, skill=skill, seed=seed).assign(split="predict", label=pd.NA)
        for table, rows in {
            "predictions": make_predictions(40, skill=skill, seed=seed),
            "further_predictions": pd.concat([further, unlabelled.assign(image_id=["x", "y", "z"])]),
        }.items():
            file = outputs / f"synthetic/all/kmeans_patches/exec_2x1/{name}/{table}.parquet/{RUN}/{table}.parquet"
            file.parent.mkdir(parents=True)
            rows.sample(frac=1, random_state=seed).to_parquet(file)
    return SimpleNamespace(
        records=records, models=tmp_path / "data/06_models", outputs=outputs, features=tmp_path / "data/04_feature"
    )


def test_members_are_joined_by_image_and_never_by_place(project):
    found = find_members(["linear_svm", f"random_forest@{RUN}"], project.records, project.models, INFO)
    tables = {name: read_predictions(record, project.outputs, "predictions") for name, record in found.items()}
    joined = join(tables, CLASS_NAMES, "test images")
    expected = make_predictions(40, skill=0.5, seed=1).set_index("image_id").loc[joined.image_id]
    np.testing.assert_allclose(joined.probability[1], np.stack(expected["probability"]))
    assert list(joined.label) == list(expected["label"])


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], r"ensemble.members is \[\], but must name two saved models or more"),
        (["linear_svm"], "must name two saved models or more, each once"),
        (["linear_svm", f"linear_svm@{RUN}"], "must name two saved models or more, each once"),
        (["linear_svm", "forest"], "Unknown saved model 'forest'"),
        (["linear_svm", "random_forest@yesterday"], "Unknown version of random_forest 'yesterday'"),
    ],
)
def test_members_that_are_no_ensemble_are_refused(project, names, words):
    with pytest.raises(UserError, match=words):
        find_members(names, project.records, project.models, INFO)


def test_a_member_that_was_judged_on_other_images_is_refused(project):
    with pytest.raises(UserError, match="'linear_svm' was judged on other images"):
        find_members(["linear_svm", "random_forest"], project.records, project.models, INFO | {"fingerprint": "ff"})


def test_a_model_of_other_images_that_has_the_same_name_is_passed_over(project):
    other = project.records["linear_svm"]["artifacts"]["model"].replace("/all/", "/more/")
    newer = make_record(
        "linear_svm", artifacts={"model": other}, data={"fingerprint": "ff"}, created="2026-11-25T10:00:00+00:00"
    )
    found = find_members(["linear_svm", "random_forest"], project.records | {"newer": newer}, project.models, INFO)
    assert {record.data.fingerprint for record in found.values()} == {FINGERPRINT}


def test_predictions_that_do_not_fit_are_refused():
    whole = make_predictions(10)
    with pytest.raises(UserError, match=r"'b' has predicted 9 test images that are not those of 'a' .10."):
        join({"a": whole, "b": whole.head(9)}, CLASS_NAMES, "test images")
    with pytest.raises(UserError, match="'b' and 'a' do not agree on the true classes"):
        join({"a": whole, "b": whole.assign(label=0)}, CLASS_NAMES, "test images")
    with pytest.raises(UserError, match="The run of 'b' left no predictions of validation images"):
        join({"a": whole, "b": pd.DataFrame()}, CLASS_NAMES, "validation images")


def choose(project, **changes):
    found = find_members(["linear_svm", "random_forest"], project.records, project.models, INFO)
    judged = {name: read_predictions(one, project.outputs, "predictions") for name, one in found.items()}
    joined, wanted = join(judged, CLASS_NAMES, "test images"), spec(**changes.pop("spec", {}))
    return make_choosing(found, joined, wanted, INFO | changes, project.outputs, project.features, 42)


def test_weights_are_chosen_on_validation_images(project):
    assert choose(project).probability.shape == (2, 20, 10)
    assert choose(project, spec={"votes": ["soft", "hard"]}) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"validation_size": 0}, "no validation images were cut from the training images. Cut some"),
        ({"test_size": 0}, "would be chosen by what it is judged on. Take ensemble.choose_on=cross_fit"),
        (
            {"spec": {"choose_on": "out_of_fold"}},
            "The features that 'linear_svm' was trained on are not in .* any more",
        ),
    ],
)
def test_images_that_weights_cannot_be_chosen_by_are_refused(project, changes, words):
    with pytest.raises(UserError, match=words):
        choose(project, **changes)


def test_a_network_has_no_out_of_fold_predictions(project):
    project.records["linear_svm"]["features"] = None
    with pytest.raises(
        UserError, match="'linear_svm' learned from no stored features, of which out-of-fold predictions"
    ):
        choose(project, spec={"choose_on": "out_of_fold"})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"votes": "soft+loud"}, "Unknown vote 'loud'.*Known: greedy, hard, soft, weighted"),
        ({"choose_on": "test"}, "no weight is ever chosen on the images that it is judged on"),
        ({"folds": 1}, "ensemble.folds is 1, but must be a whole number of at least 2"),
        ({"rounds": 0}, "ensemble.rounds is 0"),
    ],
)
def test_a_block_that_is_wrong_is_refused(changes, words):
    with pytest.raises(UserError, match=words):
        spec(**changes)


def test_out_of_fold_predictions_are_by_probes_that_did_not_see_the_image():
    random = np.random.default_rng(0)
    label = np.arange(60) % 3
    informative = random.normal(size=(60, 4)) + 4 * np.eye(3, 4)[label]
    assert (out_of_fold(informative, label, 3, Penalty(0.01), 5, 0).argmax(axis=1) == label).mean() > 0.9
    # Each image alone could be learned by heart here, and the other folds say nothing of it.
    alone = out_of_fold(np.eye(60), label, 3, Penalty(0.01), 5, 0)
    assert (alone.argmax(axis=1) == label).mean() < 0.6
    np.testing.assert_allclose(alone.sum(axis=1), 1)


@pytest.mark.parametrize("standardised", [True, False])
def test_sparse_features_say_out_of_fold_what_the_same_dense_ones_say(standardised):
    from scipy.sparse import csr_matrix

    random = np.random.default_rng(0)
    dense = random.random((40, 6)) * (random.random((40, 6)) < 0.4)
    label = np.arange(40) % 2
    said = [
        out_of_fold(features, label, 2, Penalty(0.1, standardised), 4, 0) for features in (dense, csr_matrix(dense))
    ]
    np.testing.assert_allclose(*said, atol=1e-3)


def test_a_class_with_fewer_images_than_folds_is_refused():
    with pytest.raises(UserError, match=r"ensemble.folds is 5, but a class has only 2 training images"):
        out_of_fold(np.eye(12), np.array([0] * 10 + [1] * 2), 2, Penalty(0.01), 5, 0)


def sparse(label):
    """A vector of Spark ML as Parquet holds it."""
    return {"type": 0, "size": 50, "indices": [7 + label, 9], "values": [1.0, 1.0]}


@pytest.mark.parametrize("made", [lambda label: [float(label), 1.0], sparse], ids=["dense", "sparse"])
def test_out_of_fold_tables_are_made_of_the_features_of_the_training(tmp_path, made):
    import json

    import pyarrow as pa
    from pyarrow import parquet

    folder = tmp_path / "synthetic/all/kmeans_patches/features"
    folder.mkdir(parents=True)
    label = np.arange(40) % 2
    rows = {
        "image_id": [f"train-{number:02d}" for number in reversed(range(40))],
        "label": label.tolist(),
        "split": ["test"] * 10 + ["train"] * 30,
        "features": [made(int(one)) for one in label],
    }
    parquet.write_table(pa.table(rows), folder / "part-0.parquet")
    (folder / "_SUCCESS").touch()
    folder.with_suffix(".json").write_text(json.dumps({"images_fingerprint": FINGERPRINT, "state_sha256": "ab"}))
    path = f"data/06_models/synthetic/all/kmeans_patches/exec_2x1/linear_svm/{RUN}/linear_svm"
    record = saved_models.RunRecord.from_json(
        make_record("linear_svm", artifacts={"model": path}, features={"state_sha256": "ab"})
    )
    table = choosing._out_of_fold("linear_svm", record, 5, 2, tmp_path, 0)
    assert list(table["image_id"]) == rows["image_id"][:9:-1] and list(table["prediction"]) == list(label[:9:-1])


def test_an_ensemble_is_tested_against_each_of_its_members(project):
    places = (project.records, project.models, project.outputs, project.features)
    members = nodes.open_members(spec(), {}, INFO, 42, *places)
    assert members.models == ("linear_svm", "random_forest") and members.versions == (RUN, RUN)
    table = nodes._table(even("soft"), members.judged)
    said = nodes.compare_with_members("soft", table, members)
    further = nodes._table(even("soft"), members.further).set_index("image_id")
    assert len(further) == 23 and further["label"].isna().sum() == 3 and pd.isna(further.loc["y", "label"])
    first, second = said["members"]
    assert (first["member"], second["member"]) == ("linear_svm", "random_forest")
    for row in said["members"]:
        assert said["accuracy"] - row["accuracy"] == pytest.approx(row["difference"])
        assert row["difference"] * 40 == pytest.approx(row["only_ensemble"] - row["only_member"])
        assert 0 <= row["p"] <= row["p_holm"] <= 1
    assert said["n"] == 40 and said["chosen_on"]["n"] == 20 and said["chosen_on"]["images"] == "validation images"


def test_held_out_images_are_predicted_with_weights_that_others_chose():
    random = np.random.default_rng(0)
    label = random.integers(3, size=60)
    right = np.eye(3)[label] * 0.7 + 0.1
    joined = Joined(np.arange(60).astype(str), label, np.stack([right, right[::-1]]))
    chosen = predict_held_out(VOTES["weighted"], joined, spec(), 0)
    assert np.allclose(chosen, right, atol=0.05)
    soft = predict_held_out(VOTES["soft"], joined, spec(), 0)
    assert np.allclose(soft, joined.probability.mean(0))


def test_cross_fit_weights_of_an_image_do_not_know_its_label(project):
    assert choose(project, spec={"choose_on": "cross_fit"}, test_size=0).probability.shape == (2, 40, 10)
    tables = {f"m{seed}": make_predictions(40, skill=1.5, seed=seed) for seed in range(2)}
    chosen = join(tables, CLASS_NAMES, "test images")
    wanted = spec(choose_on="cross_fit", rounds=5)
    names = ("linear_svm", "random_forest")
    members = nodes.Members(wanted, 42, names, names, ("1", "2"), chosen, chosen, None)
    table = nodes.vote_on_judged(even("weighted"), members)
    others = replace(chosen, label=np.where(np.arange(40) == 7, (chosen.label + 1) % 10, chosen.label))
    changed = nodes.vote_on_judged(even("weighted"), replace(members, judged=others))
    np.testing.assert_array_equal(table["probability"][7], changed["probability"][7])
    assert any(not np.array_equal(*both) for both in zip(table["probability"], changed["probability"], strict=True))
    soft = nodes.vote_on_judged(even("soft"), members)
    np.testing.assert_allclose(np.stack(soft["probability"]), chosen.probability.mean(axis=0))
    assert nodes.compare_with_members("weighted", table, members)["chosen_on"] is None


BLOCK = {"votes": "soft", "choose_on": "cross_fit", "folds": 5, "rounds": 10}


def test_the_name_of_a_family_stands_for_all_models_that_it_selects():
    parameters = load_configuration("competition59", {"transfer": {"selected": "lite0+lite1"}})["parameters"]
    members = ["lite0_torch_distributor", "lite1_torch_distributor"]
    assert family.member_names(spec(members="transfer"), parameters) == members
    family.check(parameters, None)
    named = parameters | {"ensemble": parameters["ensemble"] | {"members": "+".join(members)}}
    assert family.depends_on(parameters, "soft_vote") == family.depends_on(named, "soft_vote")
    later = load_configuration(
        "competition59", {"transfer": {"selected": "lite0+lite1", "models": {"lite1": {"views": 1}}}}
    )["parameters"]
    assert family.depends_on(parameters, "soft_vote") != family.depends_on(later, "soft_vote")


@pytest.mark.parametrize("members", ["", "linear_svm", "linear_svm+linear_svm", "ensemble", "linear_svm+"])
def test_too_few_members_are_refused_before_anything_starts(members):
    with pytest.raises(UserError, match="must name two saved models or more, each once"):
        family.check({"ensemble": BLOCK | {"members": members}}, None)


def test_validation_images_that_chose_weights_are_voted_on_with_those_of_other_folds(project, monkeypatch):
    block = BLOCK | {"members": "linear_svm+random_forest", "votes": "weighted", "choose_on": "validation"}
    places = (project.records, project.models, project.outputs, project.features)
    members = nodes.open_members(EnsembleSpec(**block), {}, INFO, 42, *places)
    monkeypatch.setattr(nodes, "further_tables", lambda table, *_: table)
    table = nodes.let_vote_further(members, SimpleNamespace(content=even("weighted").to_json()), None, INFO)
    held_out = predict_held_out(VOTES["weighted"], members.choosing, members.spec, 42)
    of_validation = table[table["image_id"].isin(members.choosing.image_id)]
    np.testing.assert_allclose(np.stack(of_validation["probability"]), held_out)
    assert list(table["image_id"]) == sorted(members.further.image_id) and table["label"].isna().sum() == 3
    soft = nodes.let_vote_further(members, SimpleNamespace(content=even("soft").to_json()), None, INFO)
    np.testing.assert_allclose(np.stack(soft["probability"]), members.further.probability.mean(axis=0))
