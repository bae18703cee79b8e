import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cifar_pipelines.pipelines.ensemble.votes import VOTES, Choosing


def said(*rows):
    """Probabilities of one member: one row per image."""
    return np.array(rows, dtype=float)


def vote(name, probability, label=None, rounds=10):
    """What an ensemble says, with weights that were chosen on the same images."""
    chosen = VOTES[name].choose
    weights = (
        chosen(Choosing(probability, np.asarray(label), rounds))
        if chosen
        else np.full(len(probability), 1 / len(probability))
    )
    return weights, VOTES[name].combine(probability, weights)


def test_a_majority_counts_in_a_hard_vote_and_confidence_in_a_soft_one():
    members = np.stack([said([0.6, 0.4]), said([0.6, 0.4]), said([0.0, 1.0])])
    assert vote("hard", members)[1].argmax(axis=1) == [0]
    assert vote("soft", members)[1].argmax(axis=1) == [1]


def test_a_tie_of_a_hard_vote_goes_to_the_surer_members():
    members = np.stack([said([0.9, 0.1, 0.0]), said([0.3, 0.6, 0.1])])
    assert vote("hard", members)[1].argmax(axis=1) == [0]


def test_all_weight_goes_to_a_member_that_is_always_right():
    right, wrong = said([0.9, 0.1], [0.1, 0.9]), said([0.3, 0.7], [0.7, 0.3])
    for name in ("weighted", "greedy"):
        weights, _ = vote(name, np.stack([wrong, right]), [0, 1])
        np.testing.assert_allclose(weights, [0, 1], atol=1e-3)


def test_members_that_help_each_other_share_the_weight():
    first, second = said([0.99, 0.01], [0.4, 0.6], [0.99, 0.01]), said([0.4, 0.6], [0.99, 0.01], [0.99, 0.01])
    for name in ("weighted", "greedy"):
        weights, together = vote(name, np.stack([first, second]), [0, 0, 0])
        np.testing.assert_allclose(weights, [0.5, 0.5], atol=0.01)
        assert list(together.argmax(axis=1)) == [0, 0, 0]


def _log_loss(probability, label):
    return -np.log(np.maximum(probability[np.arange(len(label)), label], 1e-12)).mean()


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 4), st.integers(3, 12), st.integers(2, 4))
def test_laws_of_votes(seed, members, images, classes):
    random = np.random.default_rng(seed)
    probability = random.dirichlet(np.ones(classes), (members, images))
    label = random.integers(0, classes, images)
    single = [_log_loss(one, label) for one in probability]
    right = [(one.argmax(axis=1) == label).mean() for one in probability]
    for name in VOTES:
        weights, together = vote(name, probability, label)
        assert weights.min() >= 0 and weights.sum() == pytest.approx(1)
        np.testing.assert_allclose(together.sum(axis=1), 1)
        if name == "weighted":  # each single member is a mixture too, and so is the soft vote
            assert _log_loss(together, label) <= min(*single, _log_loss(probability.mean(axis=0), label)) + 1e-3
        if name == "greedy":
            assert (together.argmax(axis=1) == label).mean() >= max(right)
    # Whoever stands where changes nothing.
    turned = vote("hard", probability[::-1])[1]
    np.testing.assert_allclose(turned, vote("hard", probability)[1])


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(3, 7))
def test_no_majority_of_a_hard_vote_is_overturned(seed, members):
    probability = np.random.default_rng(seed).dirichlet(np.ones(3), (members, 20))
    votes = np.eye(3)[probability.argmax(axis=2)].sum(axis=0)
    chosen = vote("hard", probability)[1].argmax(axis=1)
    assert (votes[np.arange(20), chosen] == votes.max(axis=1)).all()
