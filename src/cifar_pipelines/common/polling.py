"""A thread that looks at something again and again while a block of work runs."""

import logging
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)

PATIENCE_S = 10.0


class Polling:
    """Calls a function every so often, and once more at the end; use it as a context manager, or start and stop it.

    A look that fails is logged and does not end the work that is looked at.

    Args:
        look: The function.
        period_s: Seconds between two calls.
    """

    def __init__(self, look: Callable[[], object], period_s: float) -> None:
        self._look = look
        self._period_s = period_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Polling":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the thread; the first look is one period later."""
        self._thread.start()

    def stop(self) -> None:
        """Takes the last look and ends the thread; one that hangs in a look is left behind."""
        self._over.set()
        self._thread.join(PATIENCE_S)

    def _run(self) -> None:
        over = False
        while not over:
            over = self._over.wait(self._period_s)
            try:
                self._look()
            except Exception:
                logger.debug("A look failed.", exc_info=True)
