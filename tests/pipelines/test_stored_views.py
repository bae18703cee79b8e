"""What is stored of an image is what the network makes of it before its head."""

import pytest
import torch
from tests.pipelines.test_transfer_specification import specify

from cifar_pipelines.pipelines.transfer.stored import Views
from cifar_pipelines.training.head import linear_head


@pytest.mark.parametrize(
    "backbone", ["timm:test_efficientnet", "torchvision:mobilenet_v2", "timm:tf_efficientnet_lite0"]
)
def test_the_head_on_stored_features_is_the_network_on_images(backbone):
    weights = None if "lite0" in backbone else "none"
    spec = specify(backbone=backbone, weights=weights, input={"size": 32}, views=2)
    extractor = Views(spec)
    state = extractor.prepare()
    images = torch.randint(0, 256, (6, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    features = torch.from_numpy(extractor.build(state, "fp32")(images)).view(6, 2, -1)

    from cifar_pipelines.backbones import load_weights

    torch.manual_seed(1)
    network = spec.backbone.build(5, load_weights(spec.backbone, weights).state_dict).eval()
    head = network.get_submodule(linear_head(spec.backbone))
    with torch.inference_mode():
        for view, shown in enumerate((images, images.flip(3))):
            expected = network(spec.input.prepare(shown))
            torch.testing.assert_close(head(features[:, view]), expected, rtol=1e-3, atol=1e-4)
