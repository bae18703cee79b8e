import json
from pathlib import Path

import pytest
import torch
from torchvision.models import get_model_weights

from cifar_pipelines.backbones import InputSpec, create_backbone
from cifar_pipelines.common.errors import UserError

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
# The default weights: size, resize, filter, statistics.
DEFAULTS = {
    "torchvision:resnet18": (224, 256, "bilinear", IMAGENET),
    "torchvision:resnet101": (224, 232, "bilinear", IMAGENET),
    "torchvision:inception_v3": (299, 342, "bilinear", IMAGENET),
    "torchvision:efficientnet_b1": (240, 255, "bilinear", IMAGENET),
    "torchvision:mobilenet_v2": (224, 232, "bilinear", IMAGENET),
    "torchvision:squeezenet1_1": (224, 256, "bilinear", IMAGENET),
    "torchvision:vgg16": (224, 256, "bilinear", IMAGENET),
    "torchvision:vit_b_16": (224, 256, "bilinear", IMAGENET),
    "timm:tf_efficientnet_lite0": (224, 256, "bicubic", HALF),
    "timm:tf_efficientnet_lite1": (240, 272, "bicubic", HALF),
    "timm:resnet18.a1_in1k": (224, 235, "bicubic", IMAGENET),
}
OF_TORCHVISION = [name.partition(":")[2] for name in DEFAULTS if name.startswith("torchvision:")]


@pytest.mark.parametrize("name", DEFAULTS)
def test_the_input_of_the_default_weights_is_what_their_authors_say(name):
    size, resize, filter, (mean, std) = DEFAULTS[name]
    assert create_backbone(name).published_input(None) == InputSpec(size, resize, filter, mean, std)


@pytest.mark.parametrize("model", OF_TORCHVISION)
def test_the_input_of_every_published_file_is_that_of_its_preset(model):
    for entry in get_model_weights(model):
        preset = entry.transforms()
        checksum = Path(entry.url).stem.rpartition("-")[2] + "0" * 56
        found = create_backbone(f"torchvision:{model}").published_input(checksum)
        assert ([found.size], [found.resize]) == (preset.crop_size, preset.resize_size)
        assert (found.filter, list(found.mean), list(found.std)) == (
            preset.interpolation.value, list(preset.mean), list(preset.std),
        )  # fmt: skip


def test_two_files_of_one_network_have_inputs_of_their_own():
    backbone = create_backbone("torchvision:efficientnet_b1")
    found = {
        entry.name: backbone.published_input(Path(entry.url).stem.rpartition("-")[2])
        for entry in get_model_weights("efficientnet_b1")
    }
    assert {name: (spec.size, spec.resize, spec.filter) for name, spec in found.items()} == {
        "IMAGENET1K_V1": (240, 256, "bicubic"), "IMAGENET1K_V2": (240, 255, "bilinear"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("torchvision:mobilenet_v2", (0.0741, 0.2052, 0.4265)),
        ("torchvision:inception_v3", (0.0741, 0.2052, 0.4265)),  # which it turns into halves itself
        ("timm:tf_efficientnet_lite0", (0.0039, 0.0039, 0.0039)),
    ],
)
def test_the_mean_of_a_gray_image_is_that_of_its_weights(name, expected):
    spec = create_backbone(name).published_input(None)
    gray = spec.normalise(torch.full((2, 3, 4, 4), 128, dtype=torch.uint8))
    assert gray.shape == (2, 3, 4, 4) and gray.dtype == torch.float32
    assert gray.mean((0, 2, 3)).tolist() == pytest.approx(expected, abs=1e-4)


def test_another_size_keeps_the_share_that_is_cut_out_and_the_policy_is_chosen():
    spec = InputSpec(224, 256).adapted(160, "crop")
    assert (spec.size, spec.resize, spec.policy, spec.crop) == (160, 183, "crop", 160 / 183)
    assert (spec.square.size, spec.square.resize, spec.square.fill) == (160, 183, (124, 116, 104))
    assert InputSpec(224, 256).adapted() == InputSpec(224, 256)
    assert InputSpec(224, 200).square.resize == 224  # some weights were tested on larger images than trained on


def test_an_input_is_read_back_from_its_json():
    spec = InputSpec(240, 272, "bicubic", *HALF, policy="pad")
    assert InputSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    assert InputSpec.from_json(spec.to_json() | {"later": 1}) == spec


def test_words_name_what_differs_from_the_usual_and_nothing_else():
    assert InputSpec(160, 183).words == InputSpec(224, 232).words == ""
    assert InputSpec(160, 183, "bicubic", *HALF, policy="crop").words == (
        "images cropped, bicubic, mean 0.5 and std 0.5"
    )
    assert InputSpec(160, 183, policy="crop").in_full == (
        "cropped to 183 px, 160 px in the middle, bilinear, mean 0.485/0.456/0.406, std 0.229/0.224/0.225"
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": 0}, "input size is 0"),
        ({"filter": "lanczos"}, "Unknown filter 'lanczos'"),
        ({"policy": "keep"}, "Unknown policy 'keep'"),
        ({"mean": (0.5,)}, r"mean is \(0\.5,\), but must be one number for each"),
        ({"std": (1, 1, 0)}, r"std is \(1\.0, 1\.0, 0\.0\), but must be"),
        ({"colour": "BGR"}, r"colour is 'BGR', but images are read as RGB"),
    ],
)
def test_an_input_that_there_cannot_be_is_refused(wrong, message):
    with pytest.raises(UserError, match=message):
        InputSpec(**{"size": 224, "resize": 256} | wrong)
