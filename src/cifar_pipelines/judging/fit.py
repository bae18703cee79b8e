"""Whether a training learned too little or too much, by its learning curve and a rule that is stated."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cifar_pipelines.judging.statistics import wilson_interval

RISE = 0.05  # of the validation loss above its lowest, from which a training counts as overfitted
FALL = 0.02  # of the validation loss in the last epoch, from which more epochs would have helped
FAILED, OVER, UNDER, FITS = "failed", "overfitted", "underfitted", "fits"
RULE = (
    "Failed: the best validation accuracy is no better than guessing, by its 95 % interval. Overfitted: at the end, the validation "
    f"loss lies {RISE:.0%} or more above its lowest, while the training loss fell on. Underfitted: the validation loss was lowest in the "
    f"last epoch and fell by {FALL:.0%} or more in it. Otherwise it fits."
)


class Epoch(Protocol):
    """What is looked at of an epoch."""

    loss: float
    accuracy: float | None
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True)
class FitVerdict:
    """A verdict.

    Attributes:
        word: `FAILED`, `OVER`, `UNDER` or `FITS`.
        reason: The numbers that it follows from, as a sentence.
    """

    word: str
    reason: str


def judge_fit(epochs: Sequence[Epoch], validated: int, chance: float) -> FitVerdict:
    """Judges a training, or its last phase, by `RULE`.

    Args:
        epochs: Its epochs in order, at least one.
        validated: Validation images or texts.
        chance: What guessing reaches; see `statistics.chance_of`.
    """
    best = max(epoch.validation_accuracy for epoch in epochs)
    least, _ = wilson_interval(round(best * validated), validated)
    if least <= chance:
        return FitVerdict(FAILED, f"The best validation accuracy is {best:.1%}, and guessing has {chance:.1%}.")
    losses, last = [epoch.validation_loss for epoch in epochs], epochs[-1]
    lowest = min(range(len(losses)), key=losses.__getitem__)
    rise = last.validation_loss / losses[lowest] - 1 if losses[lowest] else 0.0
    if rise >= RISE and last.loss < epochs[lowest].loss:
        return FitVerdict(
            OVER,
            f"The validation loss rose from {losses[lowest]:.3f} in epoch {lowest + 1} to {last.validation_loss:.3f} in epoch "
            f"{len(epochs)}, while the training loss fell from {epochs[lowest].loss:.3f} to {last.loss:.3f}.",
        )
    if len(losses) > 1 and lowest == len(losses) - 1 and (fall := 1 - losses[-1] / losses[-2]) >= FALL:
        return FitVerdict(
            UNDER,
            f"The validation loss still fell by {fall:.1%} in the last epoch, from {losses[-2]:.3f} to {losses[-1]:.3f}.",
        )
    gap = (
        ""
        if last.accuracy is None
        else f" Training accuracy was {last.accuracy:.1%}, validation accuracy {last.validation_accuracy:.1%}."
    )
    return FitVerdict(
        FITS, f"The validation loss was lowest ({losses[lowest]:.3f}) in epoch {lowest + 1} of {len(epochs)}.{gap}"
    )
