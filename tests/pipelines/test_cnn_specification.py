from copy import deepcopy

import pytest

from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.pipelines.bigdl_cnn.specification import specify_cnn
from cifar_pipelines.training.prediction_views import PredictionViews

BLOCK = load_configuration("base")["parameters"]["bigdl_cnn"]


def specified(**recipe):
    block = deepcopy(BLOCK)
    block["models"]["airbench"]["recipe"] |= recipe
    return specify_cnn("airbench", "torch_distributor", block)


@pytest.mark.parametrize("key", ["crop_padding", "shift_at_test"])
def test_shifts_beyond_the_image_are_refused_before_anything_starts(key):
    with pytest.raises(
        UserError, match=rf"airbench\.recipe\.{key} is 32, but must be smaller than the images \(32 pixels\)"
    ):
        specified(**{key: 32})
    assert specified(**{key: 31})


def test_the_recipe_says_over_which_views_predictions_are_averaged():
    assert specified().prediction_views == PredictionViews()
    assert specified(flip_at_test=True, shift_at_test=1).prediction_views == PredictionViews(True, 1)
