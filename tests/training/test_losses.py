import pytest
import torch
from torch.nn.functional import one_hot

from cifar_pipelines.training.losses import classification_loss, count_correct


def some(count=32, classes=5):
    torch.manual_seed(0)
    return torch.randn(count, classes, requires_grad=True), torch.arange(count) % classes


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("parts", [(16, 16), (20, 9, 3)])
def test_losses_and_gradients_of_parts_add_up_to_those_of_the_batch(soft, smoothing, parts):
    logits, labels = some()
    targets = one_hot(labels, 5).float() if soft else labels
    whole = classification_loss(logits, targets, smoothing)
    (gradient,) = torch.autograd.grad(whole, logits)
    pieces = zip(logits.split(parts), targets.split(parts), strict=True)
    sum(classification_loss(*piece, smoothing, batch_size=32) for piece in pieces).backward()
    torch.testing.assert_close(logits.grad, gradient, rtol=1e-6, atol=1e-8)
    added = sum(
        classification_loss(*piece, smoothing, batch_size=32)
        for piece in zip(logits.split(parts), targets.split(parts), strict=True)
    )
    torch.testing.assert_close(added, whole, rtol=1e-6, atol=1e-6)


def test_labels_and_their_shares_of_classes_have_the_same_loss():
    logits, labels = some()
    torch.testing.assert_close(
        classification_loss(logits, labels, 0.2), classification_loss(logits, one_hot(labels, 5).float(), 0.2)
    )


def test_the_loss_of_half_precision_is_computed_in_float32():
    logits, labels = some()
    assert classification_loss(logits.bfloat16(), labels).dtype == torch.float32


def test_a_mixed_image_has_no_right_class():
    logits, labels = torch.eye(3), torch.tensor([0, 1, 1])
    assert count_correct(logits, labels) == 2
    assert count_correct(logits, one_hot(labels, 3).float()) is None
