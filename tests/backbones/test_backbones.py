import pytest
import torch
from torch import nn

from cifar_pipelines.backbones import create_backbone, load_weights, training_loss
from cifar_pipelines.backbones.folding import fold_batch_norms
from cifar_pipelines.common.errors import UserError

# Number of features, and of blocks with the head.
NETWORKS = {
    "torchvision:resnet18": (512, 6),
    "torchvision:resnet101": (2048, 6),
    "torchvision:inception_v3": (2048, 17),
    "torchvision:efficientnet_b1": (1280, 10),
    "torchvision:vgg16": (4096, 16),
    "torchvision:vit_b_16": (768, 14),
    "torchvision:mobilenet_v2": (1280, 20),
    "torchvision:squeezenet1_1": (512, 10),
    "timm:tf_efficientnet_lite1": (1280, 10),
    "timm:vit_tiny_patch16_224": (192, 14),
}


@pytest.fixture
def weightless():
    """Networks are made without memory for their weights, so that the largest cost nothing."""
    with torch.device("meta"):
        yield


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_built_from_random_weights_and_from_a_file(name, weightless, tmp_path):
    backbone = create_backbone(name)
    size = backbone.published_input(None).size
    images = torch.zeros((2, 3, size, size))
    file = tmp_path / "weights.pth"
    # One number for every tensor: the file of the largest network has a few kilobytes.
    state = backbone.skeleton().state_dict().items()
    torch.save(
        {key: torch.zeros((), dtype=value.dtype, device="cpu").expand(value.shape) for key, value in state}, file
    )
    for weights in ("none", f"path:{file}"):
        loaded = load_weights(backbone, weights)
        assert backbone.build(None, loaded.state_dict).to("meta").eval()(images).shape == (2, NETWORKS[name][0])
        assert backbone.build(5, loaded.state_dict).to("meta").eval()(images).shape == (2, 5)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_is_in_exactly_one_block_and_the_head_is_the_last(name, weightless):
    backbone = create_backbone(name)
    stages = backbone.stages()
    for parameter, _ in backbone.network(1000).named_parameters():
        assert sum(parameter.startswith(prefix) for _, prefixes in stages for prefix in prefixes) == 1
    assert len(stages) == NETWORKS[name][1]
    assert stages[-1] == ("head", list(backbone.head_names()))
    assert len({block for block, _ in stages}) == len(stages)


def test_blocks_stand_in_the_order_from_the_input_to_the_head(weightless):
    stages = create_backbone("torchvision:resnet18").stages()
    assert [name for name, _ in stages] == ["conv1", "layer1", "layer2", "layer3", "layer4", "head"]
    assert stages[0][1] == ["conv1.", "bn1."]
    stages = dict(create_backbone("torchvision:vit_b_16").stages())
    assert stages["conv_proj"] == ["conv_proj.", "class_token", "encoder.pos_embedding"]
    assert stages["encoder.layers.encoder_layer_11"] == ["encoder.layers.encoder_layer_11.", "encoder.ln."]


def test_a_head_is_taken_where_it_has_as_many_logits_and_fresh_otherwise():
    backbone = create_backbone("torchvision:squeezenet1_1")
    state = dict(load_weights(backbone, "none").state_dict)
    head = {name for name in state if name.startswith(backbone.head_names())}
    assert head == {"classifier.1.weight", "classifier.1.bias"}
    for classes, same in ((1000, True), (7, False)):
        built = backbone.build(classes, state).state_dict()
        assert all(torch.equal(built[name], state[name]) for name in state.keys() - head)
        assert all((built[name].shape == state[name].shape) is same for name in head)
    assert torch.equal(backbone.build(1000, state).state_dict()["classifier.1.bias"], state["classifier.1.bias"])


def test_the_auxiliary_head_of_inception_counts_in_training_and_is_hidden_otherwise(weightless):
    network = create_backbone("torchvision:inception_v3").build(4)
    images = torch.zeros((2, 3, 299, 299))
    assert network.eval()(images).shape == (2, 4)
    main, auxiliary = network.train()(images)
    assert main.shape == auxiliary.shape == (2, 4)


def test_auxiliary_logits_count_four_tenths():
    logits, auxiliary = torch.tensor([[1.0]]), torch.tensor([[10.0]])
    assert training_loss((logits, auxiliary), torch.sum).item() == pytest.approx(1 + 0.4 * 10)
    assert training_loss(logits, torch.sum).item() == 1


def test_images_that_a_network_cannot_take_are_refused_before_work():
    for name, size in (("torchvision:inception_v3", 32), ("torchvision:vit_b_16", 160), ("torchvision:vgg16", 16)):
        wanted = create_backbone(name).published_input(None).size
        with pytest.raises(UserError, match=rf"{name} cannot take images of {size} px .*such as input_size={wanted}"):
            create_backbone(name).check_size(size)
    inception = create_backbone("torchvision:inception_v3")
    inception.check_size(160)
    with pytest.raises(UserError, match=r"cannot be trained on images of 160 px .* input_size=299"):
        inception.check_size(160, training=True)  # by its auxiliary head
    inception.check_size(299, training=True)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tim:resnet18", r"Unknown library of backbones 'tim'\. Did you mean 'timm'\? Known: timm, torchvision"),
        ("torchvision", r"torchvision needs the name of a model\. Write torchvision:mobilenet_v2"),
        ("torchvision:mobilenet2", r"Unknown torchvision backbone 'mobilenet2'\. .*'mobilenet_v2'"),
        ("torchvision:fcn_resnet50", "Unknown torchvision backbone 'fcn_resnet50'"),
        ("timm:efficientnet_light0", r"Unknown timm backbone .*'efficientnet_lite0'"),
        ("timm:resnet18.a1_in2k", r"Unknown timm backbone 'resnet18\.a1_in2k'\. Did you mean .*'resnet18\.a1_in1k'"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(name, message):
    with pytest.raises(UserError, match=message):
        create_backbone(name)


def test_a_library_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr("cifar_pipelines.backbones.libraries.timm.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"timm is not installed, and timm:resnet18 is a network of it\. Install it"):
        create_backbone("timm:resnet18")


class Diamond(nn.Module):
    """A convolution that two others read, of which one has a normalisation of its own."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.second, self.other = nn.Conv2d(4, 4, 1, bias=False), nn.BatchNorm2d(4)

    def forward(self, images):
        shared = self.first(images)
        return self.other(self.second(shared)) + self.norm(shared) * shared


def test_only_what_nothing_else_reads_is_folded_and_the_numbers_stay():
    network = Diamond().eval()
    for norm in (network.norm, network.other):
        nn.init.normal_(norm.running_mean)
        nn.init.uniform_(norm.running_var, 0.5, 2)
    folded, images = fold_batch_norms(network, (nn.Conv2d,)), torch.randn(2, 3, 8, 8)
    assert [name for name, module in folded.named_modules() if isinstance(module, nn.BatchNorm2d)] == ["norm"]
    torch.testing.assert_close(folded(images), network(images))
    assert isinstance(network.other, nn.BatchNorm2d) and network.second.bias is None
