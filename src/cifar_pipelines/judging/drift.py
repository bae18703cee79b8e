"""Drift: where a learner begins to err more often, how late that is noticed, and how often for nothing."""

from collections.abc import Iterable
from dataclasses import dataclass

from cifar_pipelines.common.errors import UserError

DELTA = 0.002  # significance of one comparison inside of ADWIN, the default of its authors' and of River's


@dataclass(frozen=True)
class DriftReport:
    """What a detector found on a stream.

    Attributes:
        alarms: Numbers of the images after which it raised an alarm.
        delay: Images from the drift to the first alarm after it; None without drift or without such an alarm.
        false_alarms: Alarms before the drift, or all of them on a stream without drift.
    """

    alarms: tuple[int, ...]
    delay: int | None
    false_alarms: int


def can_detect() -> bool:
    """Whether River is installed."""
    import importlib.util

    return importlib.util.find_spec("river") is not None


def check_detector(delta: float) -> None:
    """Raises a `UserError` if drift cannot be looked for: before a stream begins, not after it has ended."""
    if not 0 < delta < 1:
        raise UserError(f"delta of the drift detector is {delta!r}, but must lie between 0 and 1. Give {DELTA}.")
    if not can_detect():
        raise UserError("Drift is detected by River, which is not installed. Run `make install`, which brings it")


def detect_drift(errors: Iterable[bool | int], drift_at: int | None = None, delta: float = DELTA) -> DriftReport:
    """Looks for rises of the error rate with ADWIN.

    Source: A. Bifet and R. Gavalda, "Learning from time-changing data with adaptive windowing", SDM 2007; the detector is River's. ADWIN
    sees any change of the mean; a learner that gets better is no alarm.

    Args:
        errors: Whether each image was predicted wrongly, in the order of the stream.
        drift_at: Number of the first image after the drift; None on a stream without one.
        delta: Chance of a false alarm that ADWIN allows itself, between 0 and 1.

    Raises:
        UserError: If River is not installed, or `delta` is out of range.
    """
    check_detector(delta)
    from river.drift import ADWIN

    detector, alarms, before = ADWIN(delta=delta), [], 0.0
    for number, error in enumerate(errors):
        detector.update(int(error))
        if detector.drift_detected and detector.estimation > before:
            alarms.append(number)
        before = detector.estimation
    after = [alarm - drift_at for alarm in alarms if drift_at is not None and alarm >= drift_at]
    return DriftReport(tuple(alarms), min(after, default=None), len(alarms) - len(after))
