"""Log lines for the epochs of a training as they end, and on the way where they are long, read from its checkpoint."""

import logging
from typing import Any

from cifar_pipelines.common.polling import Polling
from cifar_pipelines.training.checkpoint import Checkpoint

logger = logging.getLogger(__name__)

POLL_S = 0.5


class EpochLog(Polling):
    """Logs a line for every epoch that ends while the block runs, with the time that is left, and where a long one is."""

    def __init__(self, checkpoint: Checkpoint, model: str, epochs: int) -> None:
        self._checkpoint = checkpoint
        self._model = model
        self._epochs = epochs
        self._seen = len(checkpoint.history()) if checkpoint.holds_state else 0
        self._progress: dict[str, Any] | None = None
        super().__init__(self._show, POLL_S)

    def _show(self) -> None:
        for row in self._checkpoint.history()[self._seen :]:
            self._seen += 1
            logger.info("%s: %s", self._model, describe_epoch(row, self._epochs))
        progress = self._checkpoint.progress()
        if progress is not None and progress != self._progress and progress["epoch"] == self._seen + 1:
            self._progress = progress
            logger.info("%s: %s", self._model, describe_progress(progress, self._epochs))


def describe_progress(progress: dict[str, Any], epochs: int) -> str:
    """Where an epoch is, as a line of text."""
    return "epoch {epoch} of {epochs}: step {step} of {steps}, loss {loss:.3f} so far".format(**progress, epochs=epochs)


def describe_epoch(row: dict[str, Any], epochs: int) -> str:
    """One row of a history as a line of text."""
    left = (epochs - row["epoch"]) * (row["seconds"] + row["validation_seconds"])
    accuracy = "" if row["accuracy"] is None else f"accuracy {row['accuracy']:.1%}, "  # mixed images have none
    return (
        f"epoch {row['epoch']} of {epochs}: loss {row['loss']:.3f}, {accuracy}validation "
        f"{row['validation_accuracy']:.1%} (loss {row['validation_loss']:.3f}), learning rate "
        f"{row['learning_rate']:.3g}, {row['images_per_s']:.0f} a second, about {left:.0f} s left"
    )
