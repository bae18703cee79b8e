"""From what a network learned, and learns further."""

from types import SimpleNamespace

import pytest
import torch
from tests.factories.deployment import SIZE, make_material, save_network
from tests.factories.training import RECIPE, make_recipe

from cifar_pipelines.backbones import InputSpec
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.compression.subject import load_subject
from cifar_pipelines.training.shard import Shard
from cifar_pipelines.training.transferred_network import TransferredNetwork

GENERATOR = torch.Generator().manual_seed(0)
IMAGES = torch.randint(0, 256, (10, 3, SIZE, SIZE), dtype=torch.uint8, generator=GENERATOR)
LABELS = torch.arange(10)


def test_a_cnn_learns_further_from_images_that_its_recipe_changes(tmp_path):
    recipe = {"crop_padding": 2, "flip": True, "cutout": 3}
    subject = load_subject(save_network(tmp_path / "cnn.pt", training={"recipe": RECIPE | recipe}))
    found = list(subject.learned_from(IMAGES, LABELS, 7, 1, 4))
    wanted = list(Shard(IMAGES, LABELS, 7).batches(1, 2, 4, make_recipe(**recipe)))
    assert len(found) == 2
    for (images, labels), (others, theirs) in zip(found, wanted, strict=True):
        assert torch.equal(images, others) and torch.equal(labels, theirs)


def test_a_pretrained_network_learns_further_from_images_that_its_last_phase_changes(tmp_path):
    given, phases = InputSpec(SIZE, SIZE), [{"inputs": "images", "augmentation": [step]} for step in ("shift", "flip")]
    network = TransferredNetwork("torchvision:resnet18", given, {}, ("a", "b"), {"phases": phases})
    torch.save(network.as_dict(), tmp_path / "resnet.pt")
    epochs = load_subject(tmp_path / "resnet.pt").learned_from
    first, again, other = (list(epochs(IMAGES, LABELS, 7, epoch, 4)) for epoch in (0, 0, 1))
    assert [len(labels) for _, labels in first] == [4, 4]
    mirrored = 0
    for (images, labels), (same, _) in zip(first, again, strict=True):
        assert torch.equal(images, same)
        for image, label in zip(images, labels, strict=True):
            as_it_is, flipped = given.prepare(torch.stack([IMAGES[label], IMAGES[label].flip(-1)]))
            assert torch.equal(image, as_it_is) or torch.equal(image, flipped)
            mirrored += torch.equal(image, flipped)
    assert 0 < mirrored < 8
    assert not torch.equal(torch.cat([labels for _, labels in first]), torch.cat([labels for _, labels in other]))


def test_a_head_that_learned_from_mirror_images_too_learns_further_from_them(tmp_path):
    given, phases = InputSpec(SIZE, SIZE), [{"inputs": "cache", "augmentation": []}]
    for views in (1, 2):
        training = {"phases": phases, "views": views}
        network = TransferredNetwork("torchvision:resnet18", given, {}, ("a", "b"), training)
        torch.save(network.as_dict(), tmp_path / "probe.pt")
        ((images, labels),) = load_subject(tmp_path / "probe.pt").learned_from(IMAGES, LABELS, 7, 0, 10)
        assert torch.equal(images, given.prepare(IMAGES[labels])) == (views == 1)


def test_images_that_do_not_fit_into_memory_are_refused_before_they_are_read(tmp_path, monkeypatch):
    table = make_material(tmp_path).table
    needed = 2 * 96 * 3 * SIZE**2
    for free, fits in ((needed, True), (needed - 1, False)):
        monkeypatch.setattr("psutil.virtual_memory", lambda free=free: SimpleNamespace(available=free))
        if fits:
            assert len(table.read("train")[0]) == 96
        else:
            with pytest.raises(UserError, match=r"96 train images of 16x16 pixels take .* such as structured_pruning"):
                table.read("train")
