"""How far a loop of this process has come, said where it takes long."""

import logging
import time

logger = logging.getLogger(__name__)

PERIOD_S = 10.0  # between two lines


class Progress:
    """Counts what is done and logs it every `PERIOD_S`, with the seconds that are left at the pace so far.

    Args:
        what: What is done, such as "Predicting the test images".
        total: How many steps that are.
    """

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self._done = what, total, 0
        self._started = self._said = time.monotonic()

    def advance(self, by: int = 1) -> None:
        """Counts steps as done."""
        self._done += by
        now = time.monotonic()
        if now - self._said < PERIOD_S or self._done >= self._total:
            return
        self._said, taken = now, now - self._started
        left = taken * (self._total - self._done) / self._done
        logger.info(
            "%s: %s of %s after %.0f s, about %.0f s left.",
            *(self._what, f"{self._done:,}", f"{self._total:,}", taken, left),
        )
