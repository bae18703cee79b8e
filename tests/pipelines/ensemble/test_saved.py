import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from tests.factories.records import make_record

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.datasets import JsonModelDataset
from cifar_pipelines.pipelines.ensemble import saved
from cifar_pipelines.pipelines.ensemble.saved import Ensemble, Member, open_predictor
from cifar_pipelines.pipelines.ensemble.votes import VOTES
from cifar_pipelines.records.run_record import RunRecord

RUN = "2026-11-20T10.58.11.000Z"
IDS = ["b.png", "a.png", "c.png"]
SAID = {"one": [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], "other": [[0.3, 0.7], [0.4, 0.6], [0.9, 0.1]]}


def ensemble(vote="soft", weights=(0.25, 0.75)):
    return Ensemble(vote, tuple(Member(name, name, RUN, one) for name, one in zip(SAID, weights, strict=True)))


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Returns a function that opens an ensemble of two members, which say `said` of images in any order."""

    def open_it(made=None, said=SAID, file="vote.json"):
        path = tmp_path / file
        if made is not None:
            JsonModelDataset(filepath=str(path)).save(made.to_json())

        def predictor(record):
            rows = said[record.model]
            table = pd.DataFrame({"image_id": IDS[: len(rows)], "probability": rows})
            return lambda images: table.sample(frac=1, random_state=len(record.model))

        monkeypatch.setattr(saved, "families", lambda: {"family": SimpleNamespace(predictor=predictor)})
        monkeypatch.setattr(
            saved, "find_in_project", lambda wanted: SimpleNamespace(family="family", model=wanted.model)
        )
        return open_predictor(RunRecord.from_json(make_record("soft_vote", artifacts={"model": str(path)})))

    return open_it


@pytest.mark.parametrize("vote", VOTES)
def test_an_ensemble_says_of_new_images_what_its_vote_makes_of_what_its_members_say(vote, opened):
    table = opened(ensemble(vote))(None).set_index("image_id")
    expected = VOTES[vote].combine(np.array(list(SAID.values())), np.array([0.25, 0.75]))
    np.testing.assert_allclose(np.stack(table.loc[IDS, "probability"]), expected, rtol=1e-12)
    assert list(table.loc[IDS, "prediction"]) == list(expected.argmax(axis=1))


def test_no_image_that_can_be_decoded_is_no_prediction(opened):
    assert opened(ensemble(), {"one": [], "other": []})(None).empty


def test_an_ensemble_outlives_its_file():
    made = ensemble("greedy")
    assert Ensemble.from_json(made.to_json()) == made and made.weights == {"one": 0.25, "other": 0.75}


def test_one_image_gets_the_same_digits_as_among_many(opened):
    random = np.random.default_rng(0)
    said = random.dirichlet(np.ones(10), size=(2, 101))
    many = ensemble().combine(said)
    for place in range(101):
        np.testing.assert_array_equal(ensemble().combine(said[:, place : place + 1])[0], many[place])


def test_members_that_saw_different_images_are_noticed(opened):
    with pytest.raises(UserError, match="The members saw different images, because the folder changed meanwhile"):
        opened(ensemble(), SAID | {"other": SAID["other"][:2]})(None)


@pytest.mark.parametrize("content", ["", "{}", '{"vote": "soft"', '{"vote": "soft", "members": [{"name": "one"}]}'])
def test_a_damaged_ensemble_is_refused(content, opened, tmp_path):
    (tmp_path / "torn.json").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"torn.json cannot be read as an ensemble \(\w+\): it is damaged"):
        opened(file="torn.json")


def test_a_member_that_is_gone_is_named(opened, tmp_path, monkeypatch):
    def gone(wanted):
        raise UserError(f"The model {wanted.model} of {wanted.version} is gone.")

    opened(ensemble())
    monkeypatch.setattr(saved, "find_in_project", gone)
    words = f"A member of soft_vote, one of {RUN}, cannot predict. The model one of {RUN} is gone."
    with pytest.raises(UserError, match=re.escape(words)):
        open_predictor(RunRecord.from_json(make_record("soft_vote", artifacts={"model": f"{tmp_path}/vote.json"})))
