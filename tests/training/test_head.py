from dataclasses import replace

import pytest
import torch
from tests.factories.transfer import BACKBONE, CLASSES, make_features

from cifar_pipelines.backbones import create_backbone
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.training import head
from cifar_pipelines.training.head import _held_out, _score, linear_head, solve_head, start_head


def accuracy(features, weight, bias):
    return ((features.validation @ weight.T + bias).argmax(1) == features.validation_labels).double().mean()


@pytest.mark.parametrize("validation", [60, 0])
def test_a_solved_head_tells_classes_apart(validation):
    features = make_features(images=90, dimension=20, validation=validation)
    weight, bias = solve_head(features, CLASSES)
    judged = features if validation else make_features(images=90, dimension=20, validation=60)
    assert weight.shape == (CLASSES, 20) and accuracy(judged, weight, bias) > 0.9


def test_two_classes_have_a_row_each():
    features = make_features(images=60, dimension=10, validation=20)
    two = features.labels < 2
    features = replace(
        features, train=features.train[two], labels=features.labels[two], keys=features.keys[two],
        validation=features.validation[:0], validation_labels=features.validation_labels[:0],
    )  # fmt: skip
    weight, bias = solve_head(features, 2)
    inputs, labels = features.rows()
    assert ((inputs @ weight.T + bias).argmax(1) == labels).double().mean() > 0.9


@pytest.mark.parametrize("start", ["logistic_regression", "zeros", "random"])
def test_a_head_starts_as_it_is_asked_to(start):
    network = create_backbone(BACKBONE).build(CLASSES)
    fresh = network.classifier.weight.clone()
    start_head(network, "classifier", start, make_features())
    zero, same = bool((network.classifier.weight == 0).all()), torch.equal(network.classifier.weight, fresh)
    assert (zero, same) == (start == "zeros", start == "random")


def test_a_head_that_is_no_linear_layer_is_refused():
    with pytest.raises(UserError, match=r"head of torchvision:squeezenet1_1 is no linear layer.*inputs: images"):
        linear_head(create_backbone("torchvision:squeezenet1_1"))


def test_images_of_every_class_are_held_out_where_classes_take_turns():
    labels = torch.arange(10).repeat(20).repeat_interleave(2)  # two views of each of 200 images
    held = _held_out(labels, 2).view(-1, 2)
    assert torch.equal(held[:, 0], held[:, 1])
    assert labels[::2][held[:, 0]].bincount().tolist() == [4] * 10
    few = torch.tensor([0, 0, 0, 1, 1, 2])
    assert _held_out(few, 1).tolist() == [False, False, True, False, True, False]


def test_the_regularisation_is_chosen_by_images_that_can_be_recognised(monkeypatch):
    tried = []
    monkeypatch.setattr(head, "_score", lambda *given: tried.append(_score(*given)) or tried[-1])
    many = make_features(images=300, dimension=20)
    labels = torch.arange(300) % 10
    train = torch.nn.functional.one_hot(labels, 20)[:, None] * 3.0 + 0.1 * many.train[:, :1]
    solve_head(replace(many, train=train, labels=labels, validation=many.validation[:0]), 10)
    assert max(tried) > 0.9


def test_test_images_that_draw_the_curve_choose_nothing():
    features = make_features(images=90, dimension=20, validation=60)
    shown = replace(features, chooses=False, validation_labels=features.validation_labels.flip(0))
    none = replace(features, validation=features.validation[:0], validation_labels=features.validation_labels[:0])
    for one, other in zip(solve_head(shown, CLASSES), solve_head(none, CLASSES), strict=True):
        assert torch.equal(one, other)
