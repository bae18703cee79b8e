import numpy as np
import pytest
import torch

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.extractors import create_extractor

IMAGES = torch.randint(0, 256, (3, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def features(images, **options):
    extractor = create_extractor("pixels", input_size=8, options=options)
    extractor.check()
    return extractor.build(extractor.prepare([], 0), "bf16")(images)


def test_pixels_lie_in_a_row_between_0_and_1():
    x = features(IMAGES.contiguous(memory_format=torch.channels_last))
    assert x.shape == (3, 192) and x.dtype == np.float32
    assert np.array_equal(x, IMAGES.reshape(3, -1).numpy().astype(np.float32) / 255)


def test_normalised_images_do_not_depend_on_brightness_and_contrast():
    dark = features(IMAGES // 2, normalise=True)
    assert np.allclose(dark.mean(1), 0, atol=1e-5) and np.allclose(dark.std(1), 1, atol=1e-5)
    assert np.allclose(dark, features(IMAGES // 2 + 40, normalise=True), atol=1e-5)
    assert not features(torch.full((1, 3, 8, 8), 9, dtype=torch.uint8), normalise=True).any()


@pytest.mark.parametrize(("given", "words"), [({"name": "pixels:rgb"}, "'rgb'"), ({"weights": "none"}, "weights")])
def test_pixels_have_no_variants_and_no_weights(given, words):
    with pytest.raises(UserError, match=words):
        create_extractor(**{"name": "pixels"} | given)
