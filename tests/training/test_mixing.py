import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.training.draws import Draws, image_keys
from cifar_pipelines.training.mixing import Mixing

few = settings(max_examples=25)
alphas = st.sampled_from([0.2, 1.0, 4.0])


def mix(mixing, count=200, size=8, seed=0):
    """Black images of class 0, mixed with white ones of class 1."""
    black, white = torch.zeros(count, 3, size, size, dtype=torch.uint8), torch.full((count, 3, size, size), 255)
    labels = torch.zeros(count, dtype=torch.int64)
    draws = Draws.begin(image_keys([str(number) for number in range(count)]), seed, 0)
    return mixing(black, white.to(torch.uint8), (labels, labels + 1), 3, draws)


@few
@given(alpha=alphas, seed=st.integers(0, 99))
def test_mixup_blends_pixels_as_it_blends_labels(alpha, seed):
    images, shares = mix(Mixing(mixup=alpha), seed=seed)
    assert images.dtype == torch.uint8
    torch.testing.assert_close(images.float().mean((1, 2, 3)) / 255, shares[:, 1], rtol=0, atol=1 / 255)
    assert (images == images[:, :1, :1, :1]).all()
    torch.testing.assert_close(shares.sum(1), torch.ones(200))
    assert not shares[:, 2].any()


@few
@given(alpha=alphas, seed=st.integers(0, 99))
def test_cutmix_replaces_one_box_and_its_share_of_the_label(alpha, seed):
    images, shares = mix(Mixing(cutmix=alpha), seed=seed)
    replaced = images[:, 0] == 255
    assert torch.equal(replaced, images[:, 2] == 255) and ((images == 0) | (images == 255)).all()
    torch.testing.assert_close(replaced.float().mean((1, 2)), shares[:, 1])
    rows, columns = replaced.any(2), replaced.any(1)
    assert torch.equal(rows[:, :, None] & columns[:, None], replaced)
    assert all((side[:, 1:] & ~side[:, :-1]).sum(1).max() <= 1 for side in (rows, columns))  # and no gap within


def test_the_share_follows_the_beta_distribution():
    for alpha in (0.2, 1.0):
        _, shares = mix(Mixing(mixup=alpha), count=4000, size=1)
        own = shares[:, 0].double()
        assert own.mean() == pytest.approx(0.5, abs=0.03)
        assert own.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), abs=0.01)


def test_where_both_are_wanted_every_image_draws_one():
    images, _ = mix(Mixing(mixup=1.0, cutmix=1.0), count=400)
    blended = ((images > 0) & (images < 255)).any(3).any(2).any(1)
    assert 0.4 < blended.double().mean() < 0.6


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mixup": -0.1}, r"mixup is -0\.1, but must be a number of at least 0\."),
        ({"cutmix": math.inf}, "cutmix is inf"),
    ],
)
def test_an_alpha_that_makes_no_sense_is_refused(values, message):
    with pytest.raises(UserError, match=message):
        Mixing(**values)
