import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cifar_pipelines.training.prediction_views import PredictionViews

IMAGES = torch.arange(2 * 3 * 5 * 5, dtype=torch.float32).view(2, 3, 5, 5)


@given(st.booleans(), st.integers(0, 4))
def test_there_are_as_many_views_as_are_counted_and_the_first_is_the_image(flip, shift):
    views = list(PredictionViews(flip, shift)(IMAGES))
    assert len(views) == PredictionViews(flip, shift).count
    assert torch.equal(views[0], IMAGES) and all(view.shape == IMAGES.shape for view in views)
    assert not flip or all(torch.equal(one.flip(-1), other) for one, other in zip(views[::2], views[1::2], strict=True))


@pytest.mark.parametrize("shift", [1, 2])
def test_images_are_shifted_both_ways_along_their_diagonal(shift):
    _, there, back = PredictionViews(shift=shift)(IMAGES)
    assert torch.equal(there[..., shift:, shift:], IMAGES[..., :-shift, :-shift])
    assert torch.equal(back[..., :-shift, :-shift], IMAGES[..., shift:, shift:])
    assert torch.equal(there[..., 0, shift], IMAGES[..., shift, 0])  # reflected at the border


def test_a_recipe_of_before_has_no_shifted_views():
    assert PredictionViews.of({"flip_at_test": True}) == PredictionViews(True, 0)
    assert PredictionViews.of({"recipe": {"flip_at_test": True}}) == PredictionViews(True, 0)
    assert PredictionViews.of({"flip_at_test": False, "shift_at_test": 2}) == PredictionViews(False, 2)
