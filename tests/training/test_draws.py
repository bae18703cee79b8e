import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from cifar_pipelines.training.draws import Draws, image_keys

IDS = [f"train/{number:05d}" for number in range(4000)]
KEYS = image_keys(IDS)
wholes = st.integers(-(2**40), 2**40)


def test_the_key_of_an_image_is_its_id_alone_and_stays_what_it_was():
    assert KEYS.dtype == torch.int64 and len(KEYS.unique()) == len(IDS)
    assert torch.equal(image_keys(IDS[7:9]), KEYS[7:9])
    # Frozen numbers: a training that was interrupted goes on with a later version of the project.
    assert image_keys(["train/00000", "é"]).tolist() == [-4508957945756365949, 3394012004367669963]
    drawn = Draws.begin(image_keys(["train/00000"]), 3, 5).uniform("angle").item()
    assert drawn == 0.8942383652282593


@given(seed=wholes, epoch=st.integers(0, 10**6), positions=st.lists(st.integers(0, 3999), min_size=1, max_size=9))
def test_a_number_belongs_to_its_image_whatever_the_batch(seed, epoch, positions):
    batch = Draws.begin(KEYS[positions], seed, epoch).of("crop")
    alone = [Draws.begin(KEYS[[position]], seed, epoch).of("crop").uniform("top").item() for position in positions]
    assert batch.uniform("top").tolist() == alone
    assert [int(value * 7) for value in alone] == batch.whole("top", 7).tolist()


def test_numbers_are_uniform_and_those_of_other_names_epochs_and_seeds_have_nothing_to_do_with_them():
    first = Draws.begin(KEYS, 0, 0)
    numbers = [
        first.uniform("a"), first.uniform("b"), first.of("a").uniform("b"), first.of("b").uniform("a"),
        Draws.begin(KEYS, 1, 0).uniform("a"), Draws.begin(KEYS, 0, 1).uniform("a"),
    ]  # fmt: skip
    for one in numbers:
        assert one.min() >= 0 and one.max() < 1
        assert np.abs(np.histogram(one, 10, (0, 1))[0] - 400).max() < 100  # five standard deviations
    assert np.abs(np.corrcoef(np.stack(numbers)) - np.eye(6)).max() < 0.08
    shifted = np.corrcoef(numbers[0][1:], numbers[0][:-1])[0, 1]  # ids that follow each other
    assert abs(shifted) < 0.08


def test_ranges_limits_and_probabilities():
    draws = Draws.begin(KEYS, 0, 0)
    angles = draws.uniform("angle", -3, 5)
    assert -3 <= angles.min() < -2.9 and 4.9 < angles.max() < 5
    assert draws.whole("side", 3).unique().tolist() == [0, 1, 2]
    limits = torch.arange(4000) + 1
    assert (draws.whole("top", limits) < limits).all()
    assert 0.2 < draws.true("flip", 0.25).double().mean() < 0.3
    assert not draws.true("flip", 0.0).any() and draws.true("flip", 1.0).all()
    assert len(set(draws.seeds())) == 4000 and min(draws.seeds()) >= 0
