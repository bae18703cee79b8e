"""The loss of a classifier, for labels and for shares of classes alike, and its count of right predictions."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def classification_loss(
    logits: "Tensor", targets: "Tensor", label_smoothing: float = 0.0, batch_size: int | None = None
) -> "Tensor":
    """Computes the cross-entropy of a batch, or of a part of one.

    Args:
        logits: Float tensor of shape (n, classes); computed with in float32.
        targets: Labels, int64 of shape (n,), or shares of the classes, float of shape (n, classes).
        label_smoothing: Share of the target that is spread over all classes (Szegedy et al., 2016).
        batch_size: Images of the whole batch of which these are a part: the losses of parts, and their gradients, add up
            to those of the batch. None if these are the batch.

    Returns:
        The mean over the images of the batch, a scalar.
    """
    from torch.nn.functional import cross_entropy

    logits = logits.float()
    if batch_size is None:
        return cross_entropy(logits, targets, label_smoothing=label_smoothing)
    return cross_entropy(logits, targets, label_smoothing=label_smoothing, reduction="sum") / batch_size


def count_correct(logits: "Tensor", targets: "Tensor") -> int | None:
    """Counts right predictions; None for shares of classes, because a mixed image has no one right class."""
    return None if targets.is_floating_point() else int((logits.argmax(1) == targets).sum())
