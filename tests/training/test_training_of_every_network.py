"""Every network of the studies learns, from random weights and from a state file, and is saved, loaded and asked again."""

import shutil
from contextlib import ExitStack, contextmanager
from math import isfinite
from unittest.mock import patch

import pytest
import torch
from tests.factories.images import encode_image
from tests.factories.training import write_images
from tests.factories.transfer import ADAMW, make_jobs, phases_of

from cifar_pipelines.backbones import create_backbone, load_weights
from cifar_pipelines.common.images import load_batch
from cifar_pipelines.datasets.trained_network import TrainedNetworkDataset
from cifar_pipelines.training.checkpoint import Checkpoint
from cifar_pipelines.training.phase_job import first_weights, write_start
from cifar_pipelines.training.process import train_alone
from cifar_pipelines.training.saved_network import load_network
from cifar_pipelines.training.transferred_network import TransferredNetwork

# A group of its own, since groups begin first: these minutes at the end would leave the other process of the tests idle.
pytestmark = pytest.mark.xdist_group("every_network")

# As few pixels as a network takes in training, and what is trained.
NETWORKS = {
    "torchvision:resnet18": (32, "last:1"),
    "torchvision:resnet101": (32, "last:1"),
    "torchvision:inception_v3": (299, "last:1"),  # for its auxiliary head
    "torchvision:efficientnet_b1": (32, "last:1"),
    "torchvision:vgg16": (32, "head"),  # the block before it has 17 million weights
    "torchvision:vit_b_16": (224, "last:1"),
    "torchvision:mobilenet_v2": (32, "last:1"),
    "torchvision:squeezenet1_1": (32, "last:1"),
}
NAMES = tuple("abcdefgh")  # so many that of SqueezeNet's logits, which end in a ReLU, not all are 0
# Two steps, because ViT's head begins with zeros, through which the first one tells the block before it nothing. Labels are smoothed,
# because Inception is sure of one class with random weights, and would learn nothing where that is the right one.
PHASE = {
    "epochs": 1, "batch_size": 1, "optimiser": ADAMW, "schedule": {"name": "constant"}, "label_smoothing": 0.1,
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """A folder that leaves nothing: the weights of these networks have hundreds of megabytes."""
    yield tmp_path
    shutil.rmtree(tmp_path)


@contextmanager
def nothing_drawn():
    """Makes no random numbers for weights that are overwritten at once, which is a quarter of the time of VGG-16."""

    def untouched(tensor, *_, **__):
        return tensor

    drawing = [(torch.Tensor, "normal_"), (torch.Tensor, "uniform_"), (torch.nn.init, "trunc_normal_")]
    with ExitStack() as stack:
        for owner, name in drawing:
            stack.enter_context(patch.object(owner, name, untouched))
        yield


def learn(backbone, given, folder):
    """Trains for an epoch from weights, and compares what moved with what should; returns the network."""
    size, train = NETWORKS[backbone.name]
    files, spec = write_images(folder / "images", 2, 1, size=20), backbone.input_spec("none", size)
    checkpoint = Checkpoint(folder / "run")
    checkpoint.begin({})
    torch.manual_seed(0)
    learning = [tuple(prefixes) for _, prefixes in backbone.stages()[-len(train.split(":")) :]]
    learns, started = sum(learning, ()), backbone.build(len(NAMES), given).state_dict()
    write_start(checkpoint, started)
    before = {key: value for key, value in started.items() if key.startswith(learns)}
    del started
    changes = {"backbone": backbone.name, "classes": len(NAMES), "input": spec}
    counts = {"train_images": 2, "validation": ("test", 1)}
    (job,) = make_jobs(files, checkpoint.folder, phases_of(PHASE | {"train": train}), **changes, **counts)
    with nothing_drawn():
        train_alone(job, 1)
    (row,) = checkpoint.history()
    assert row["loss"] > 0 and isfinite(row["validation_loss"])

    after = first_weights(str(checkpoint.folder), 2)
    shutil.rmtree(folder)
    moved = [key for key, value in before.items() if not torch.equal(value, after[key])]
    assert [part for part in learning if not any(key.startswith(part) for key in moved)] == []
    frozen = [key for key in given if not key.startswith(learns)]
    assert frozen and all(torch.equal(after[key], given[key]) for key in frozen)
    return TransferredNetwork(backbone.name, spec, after, NAMES, {})


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_learns_from_random_weights_and_from_a_file_and_is_saved_and_loaded(name, folder):
    backbone, weights, saved = create_backbone(name), folder / "weights.pth", folder / "network.pt"
    state = load_weights(backbone, "none").state_dict
    torch.save({key: value.roll(1) for key, value in state.items()}, weights)  # other numbers than those of none
    learn(backbone, state, folder / "none")
    del state
    loaded = load_weights(backbone, f"path:{weights}")
    weights.unlink()
    network = learn(backbone, loaded.state_dict, folder / "path")
    del loaded

    TrainedNetworkDataset(filepath=str(saved)).save(network)
    module = backbone.skeleton(len(NAMES))
    module.load_state_dict(network.state_dict, assign=True)
    with nothing_drawn():
        found = load_network(saved)
    images = found.input.prepare(load_batch([encode_image(size=(40, 50))], found.input.square))
    with torch.inference_mode():
        logits, expected = found.module(images), module(images)
    assert logits.shape == (1, len(NAMES)) and found.class_names == NAMES
    torch.testing.assert_close(logits, expected)
