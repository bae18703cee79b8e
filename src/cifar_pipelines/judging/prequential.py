"""Scores of a learner while it learns, from summed counts: of all images so far, and of the last ones."""

from collections.abc import Mapping

import numpy as np

from cifar_pipelines.common.options import whole

SCORES = ("accuracy", "log_loss", "precision_macro", "recall_macro", "f1_macro")
SMALLEST = np.finfo(np.float64).eps  # probability that a log loss is taken of, as in scikit-learn


class PrequentialScores:
    """Test, then learn: every image is predicted before it is learned, and counts once.

    Source: J. Gama, R. Sebastiao and P. P. Rodrigues, "On evaluating stream learning algorithms", Machine Learning 90, 2013.
    Counts are summed and scores are made of the sums: an average of the scores of blocks would be another number, and would
    depend on the size of the blocks. Memory does not grow with the stream.

    Args:
        classes: Number of classes.
        window: Number of last images that are judged beside all of them.

    Attributes:
        confusion: (classes, classes) int64: counts, rows are the truth.
        loss: () float64: sum of the log losses, in nats.
        recent_labels: (window,) int64, the last images in turn; -1 where none has been.
    """

    arrays = ("confusion", "loss", "recent_labels", "recent_predictions", "recent_losses")

    def __init__(self, classes: int, window: int = 1000) -> None:
        whole("The window of the prequential scores", window, 1)
        self.confusion, self.loss = np.zeros((classes, classes), np.int64), np.zeros(())
        self.recent_labels, self.recent_predictions = np.full(window, -1), np.full(window, -1)
        self.recent_losses = np.zeros(window)

    @property
    def n(self) -> int:
        """Images so far."""
        return int(self.confusion.sum())

    def add(self, label: np.ndarray, probability: np.ndarray) -> None:
        """Counts images.

        Args:
            label: (n,) int: the truth.
            probability: (n, classes) float: what was predicted before it was learned.
        """
        if not len(label):
            return
        predicted, losses = probability.argmax(axis=1), log_losses(label, probability)
        window = len(self.recent_labels)
        places = (self.n + np.arange(len(label)))[-window:] % window
        np.add.at(self.confusion, (label, predicted), 1)
        self.loss += losses.sum()
        self.recent_labels[places], self.recent_predictions[places] = label[-window:], predicted[-window:]
        self.recent_losses[places] = losses[-window:]

    def of_all(self) -> dict[str, float]:
        """The scores of all images so far; see `scores_of_counts`."""
        return scores_of_counts(self.confusion, float(self.loss))

    def of_window(self) -> dict[str, float]:
        """The scores of the last images."""
        there = self.recent_labels >= 0
        confusion = np.zeros_like(self.confusion)
        np.add.at(confusion, (self.recent_labels[there], self.recent_predictions[there]), 1)
        return scores_of_counts(confusion, float(self.recent_losses[there].sum()))

    def state(self) -> dict[str, np.ndarray]:
        """All that was counted, as a copy: arrays by name."""
        return {name: np.array(getattr(self, name)) for name in self.arrays}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Goes on from what `state` gave."""
        for name in self.arrays:
            getattr(self, name)[...] = state[name]


def log_losses(label: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Log losses (n,) in nats of the labels (n,) under probabilities (n, classes)."""
    return -np.log(np.maximum(probability[np.arange(len(label)), label], SMALLEST))


def counts(label: np.ndarray, probability: np.ndarray) -> tuple[np.ndarray, float]:
    """Confusion matrix (classes, classes) and sum of the log losses of labels (n,) under probabilities (n, classes)."""
    confusion = np.zeros((probability.shape[1],) * 2, np.int64)
    np.add.at(confusion, (label, probability.argmax(axis=1)), 1)
    return confusion, float(log_losses(label, probability).sum())


def scores_of_counts(confusion: np.ndarray, loss: float) -> dict[str, float]:
    """Makes scores of counts.

    Averages run over all classes; what is not defined, such as the precision of a class that is never predicted, is 0, as in
    `metrics.evaluate`.

    Args:
        confusion: (classes, classes) int: counts, rows are the truth.
        loss: Sum of the log losses.

    Returns:
        `n`, and the scores of `SCORES`: NaN without images.
    """
    n, right = int(confusion.sum()), np.diag(confusion)
    if not n:
        return {"n": 0} | dict.fromkeys(SCORES, float("nan"))
    actual, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    values = (
        right.sum() / n,
        loss / n,
        np.mean(right / np.maximum(predicted, 1)),
        np.mean(right / np.maximum(actual, 1)),
        np.mean(2 * right / np.maximum(actual + predicted, 1)),
    )
    return {"n": n} | {name: float(value) for name, value in zip(SCORES, values, strict=True)}
