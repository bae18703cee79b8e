import hashlib
import urllib.error

import numpy as np
import pytest
import torch
from torch.fx.experimental.optimization import fuse
from torchvision.models import get_model

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.images import encode_png, load_batch
from cifar_pipelines.extractors import create_extractor
from cifar_pipelines.extractors.torchvision import PretrainedBackbone

SIZE = 64
DIMENSIONS = {"squeezenet1_1": 512, "mobilenet_v2": 1280}


def save(weights, path):
    torch.save(weights, path)
    return str(path)


@pytest.fixture(scope="module")
def weights():
    """Random weights of two small networks, heads included."""
    torch.manual_seed(0)
    return {name: get_model(name, weights=None).state_dict() for name in DIMENSIONS}


@pytest.fixture(scope="module")
def batch():
    random = np.random.default_rng(0)
    return torch.from_numpy(random.integers(0, 256, (3, 3, SIZE, SIZE), dtype=np.uint8))


def features_of(extractor, batch, precision="fp32"):
    extractor.check()
    return extractor.build(extractor.prepare([], seed=0), precision)(batch)


def test_an_unknown_extractor_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match=r"Unknown extractor 'kmeans_patch'\. Did you mean 'kmeans_patches'"):
        create_extractor("kmeans_patch")
    for name in ("tim:resnet18", None):
        with pytest.raises(
            UserError, match=r"Unknown extractor '.*'\..* Known: kmeans_patches, pixels, tfidf, timm, torchvision, "
        ):
            create_extractor(name)


def test_a_backbone_has_to_be_named():
    for name in ("torchvision", "torchvision:"):
        with pytest.raises(UserError, match=r"needs the name of a model\. Write torchvision:mobilenet_v2"):
            create_extractor(name).check()


def test_an_unknown_backbone_is_refused_with_the_nearest():
    with pytest.raises(UserError, match=r"Unknown torchvision backbone 'mobilenet2'\. .*'mobilenet_v2'"):
        create_extractor("torchvision:mobilenet2").check()


def test_a_network_for_another_task_is_unknown():
    with pytest.raises(UserError, match="Unknown torchvision backbone 'fcn_resnet50'"):
        create_extractor("torchvision:fcn_resnet50").check()


def test_an_unknown_option_is_refused():
    with pytest.raises(
        UserError, match=r"Unknown option 'mirrored'. Did you mean 'mirror'.*the extractor 'torchvision'"
    ):
        create_extractor("torchvision:resnet18", options={"mirrored": True})


def test_mirror_averages_the_features_of_both_views():
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    plain, mirrored = (PretrainedBackbone("squeezenet1_1", "none", 64, mirror=flag) for flag in (False, True))
    state = plain.prepare([], 0)
    one = plain.build(state, "fp32")
    expected = (one(images) + one(images.flip(3))) / 2
    assert np.allclose(mirrored.build(state, "fp32")(images), expected, atol=1e-5)


def test_a_missing_weights_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"weights '.*nowhere\.pth' is no file\..* of torchvision:mobilenet_v2"):
        create_extractor("torchvision:mobilenet_v2", str(tmp_path / "nowhere.pth")).check()


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04 cut"])
def test_a_file_that_is_no_state_dict_is_refused(tmp_path, content):
    path = tmp_path / "file.pth"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"file\.pth cannot be read as weights \(\w+\).*state dict written by"):
        create_extractor("torchvision:mobilenet_v2", str(path)).check()


def test_a_pickled_network_is_refused(tmp_path):
    path = save(torch.nn.Linear(2, 2), tmp_path / "network.pth")
    with pytest.raises(UserError, match=r"cannot be read as weights"):
        create_extractor("torchvision:mobilenet_v2", path).check()


def test_weights_of_another_network_are_refused(weights, tmp_path):
    path = save(weights["squeezenet1_1"], tmp_path / "other.pth")
    message = r"other\.pth, sha256 .* is not a state dict of torchvision:mobilenet_v2: \d+ tensors are missing"
    with pytest.raises(UserError, match=message):
        create_extractor("torchvision:mobilenet_v2", path).check()


def test_weights_of_another_size_are_refused(weights, tmp_path):
    name = "features.0.weight"
    path = save(weights["squeezenet1_1"] | {name: torch.zeros(64, 1, 3, 3)}, tmp_path / "gray.pth")
    with pytest.raises(
        UserError, match=rf"gray\.pth.* does not fit torchvision:squeezenet1_1: {name} is of the shape \(64, 1, 3, 3\)"
    ):
        create_extractor("torchvision:squeezenet1_1", path).check()


@pytest.mark.parametrize("name", DIMENSIONS)
def test_the_head_may_be_there_or_not_and_makes_no_difference(name, weights, batch, tmp_path):
    body = {key: value for key, value in weights[name].items() if not key.startswith("classifier.1.")}
    assert len(body) == len(weights[name]) - 2
    found = [
        features_of(create_extractor(f"torchvision:{name}", save(some, tmp_path / "w.pth"), SIZE), batch)
        for some in (weights[name], body)
    ]
    assert found[0].shape == (3, DIMENSIONS[name]) and found[0].dtype == np.float32
    np.testing.assert_array_equal(*found)


def test_features_feed_the_last_layer_of_the_whole_network(weights, batch, tmp_path):
    path = save(weights["mobilenet_v2"], tmp_path / "w.pth")
    found = features_of(create_extractor("torchvision:mobilenet_v2", path, SIZE), batch)
    whole = get_model("mobilenet_v2", weights=None).eval()
    whole.load_state_dict(weights["mobilenet_v2"])
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    with torch.inference_mode():
        expected = whole.features((batch / 255 - mean) / std).mean(dim=(2, 3)).numpy()
    assert expected.std() > 0
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_features_are_to_the_bit_those_of_records_that_exist(weights, tmp_path, precision):
    """Squashed bilinearly, ImageNet's numbers, folded by torch's own pass: what features have been since the first ones."""
    images = [encode_png(np.random.default_rng(seed).integers(0, 256, (40, 30 + seed, 3), np.uint8)) for seed in (0, 1)]
    extractor = create_extractor("torchvision:mobilenet_v2", save(weights["mobilenet_v2"], tmp_path / "w.pth"))
    extractor.check()
    found = extractor.build(extractor.prepare([], 0), precision)(load_batch(images, extractor.square))
    dtype = {"bf16": torch.bfloat16, "fp32": torch.float32}[precision]
    network = get_model("mobilenet_v2", weights=None).eval()
    network.load_state_dict(weights["mobilenet_v2"])
    network.classifier[1] = torch.nn.Identity()
    network = fuse(network).to(dtype=dtype, memory_format=torch.channels_last)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    batch = torch.addcmul(-mean / std, load_batch(images, 160), 1 / (255 * std))
    with torch.inference_mode():
        expected = network(batch.to(dtype).contiguous(memory_format=torch.channels_last)).float().numpy()
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", DIMENSIONS)
def test_bf16_is_near_fp32(name, weights, batch, tmp_path):
    extractor = create_extractor(f"torchvision:{name}", save(weights[name], tmp_path / "w.pth"), SIZE)
    low, high = (features_of(extractor, batch, precision) for precision in ("bf16", "fp32"))
    assert low.dtype == np.float32
    cosine = (low * high).sum(1) / np.linalg.norm(low, axis=1) / np.linalg.norm(high, axis=1)
    assert cosine.min() > 0.99


@pytest.mark.parametrize(
    ("name", "size", "dimension"),
    [
        ("resnet18", 32, 512),
        ("shufflenet_v2_x0_5", 32, 1024),
        ("mobilenet_v3_small", 32, 1024),
        ("densenet121", 32, 1024),
        ("googlenet", 64, 1024),
        ("squeezenet1_0", 64, 512),
    ],
)
def test_the_head_of_every_family_is_removed(name, size, dimension, tmp_path):
    options = {"init_weights": False} if name == "googlenet" else {}
    path = save(get_model(name, weights=None, **options).state_dict(), tmp_path / "w.pth")
    batch = torch.zeros((2, 3, size, size), dtype=torch.uint8)
    features = features_of(create_extractor(f"torchvision:{name}", path, size), batch)
    assert features.shape == (2, dimension)
    assert np.isfinite(features).all()


def test_the_description_names_the_weights_by_their_digest(weights, tmp_path):
    path = save(weights["squeezenet1_1"], tmp_path / "mine.pth")
    digest = hashlib.sha256((tmp_path / "mine.pth").read_bytes()).hexdigest()
    usual = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "colour": "RGB", "policy": "squash"}
    assert create_extractor("torchvision:squeezenet1_1", path).describe() == {
        "extractor": "torchvision:squeezenet1_1",
        "weights": f"mine.pth, sha256 {digest[:16]}",
        "weights_sha256": digest,
        "input_size": 160,
        "input": {"size": 160, "resize": 183, "filter": "bilinear"} | usual,
    }


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (urllib.error.URLError("no route"), r"not on this machine and cannot be downloaded .*no route.*kmeans_pat"),
        (OSError("disk full"), r"not on this machine and cannot be downloaded \(disk full\)"),
        (RuntimeError("invalid hash value"), r"have the wrong checksum \(invalid hash value\)\. Run again"),
    ],
)
def test_a_download_that_fails_is_an_error_with_a_way_out(monkeypatch, tmp_path, error, message):
    def fail(*_, **__):
        raise error

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", fail)
    with pytest.raises(UserError, match=message):
        create_extractor("torchvision:mobilenet_v2").check()


def test_weights_of_torchvision_are_taken_when_no_file_is_given(monkeypatch, weights, batch, tmp_path):
    def download(url, target, *_, **__):
        torch.save(weights["mobilenet_v2"], target)

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", download)
    monkeypatch.setattr("cifar_pipelines.backbones.libraries.torchvision.verified", lambda *_: None)
    extractor = create_extractor("torchvision:mobilenet_v2", input_size=SIZE)
    assert features_of(extractor, batch).shape == (3, 1280)
    assert extractor.describe()["weights"].startswith("torchvision MobileNet_V2_Weights.")


@pytest.mark.parametrize("content", ["other weights", b"", b"<html>"])
def test_a_file_that_somebody_put_where_torchvision_looks_has_the_checksum_in_its_name(
    monkeypatch, weights, tmp_path, content
):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = tmp_path / "hub" / "checkpoints" / "mobilenet_v2-7ebf99e0.pth"
    file.parent.mkdir(parents=True)
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        torch.save(weights["mobilenet_v2"], file)
    with pytest.raises(
        UserError, match=r"mobilenet_v2-7ebf99e0.pth has the sha256 \w{8}, not 7ebf99e0: it is another file"
    ):
        create_extractor("torchvision:mobilenet_v2").check()
