"""A watch that ends jobs for which no executor is left, because Spark itself would wait for ever."""

import time
from typing import TYPE_CHECKING

from cifar_pipelines.common.polling import Polling

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

POLL_S = 2.0


class StallWatch:
    """Watches a session; a job of which no task has run for some time is cancelled.

    Use it as a context manager.

    Args:
        session: The session.
        patience_s: Seconds without a running task after which a job counts as stalled.
        poll_s: Seconds between two looks.
    """

    def __init__(self, session: "SparkSession", patience_s: float, poll_s: float = POLL_S) -> None:
        self.patience_s = patience_s
        self.reason: str | None = None
        self._context = session.sparkContext
        self._busy = time.monotonic()
        self._polling = Polling(self._look, poll_s)

    def __enter__(self) -> "StallWatch":
        self._polling.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._polling.stop()

    def _look(self) -> None:
        if not self._stalled():
            self._busy = time.monotonic()
        elif time.monotonic() - self._busy > self.patience_s:
            self._give_up()

    def _stalled(self) -> bool:
        """Whether there is a job under way, but no task of it."""
        tracker = self._context.statusTracker()
        stages = [tracker.getStageInfo(number) for number in tracker.getActiveStageIds()]
        return bool(tracker.getActiveJobsIds()) and not any(stage and stage.numActiveTasks for stage in stages)

    def _give_up(self) -> None:
        self.reason = (
            f"The run was stopped, because no task ran for {self.patience_s:.0f} s: the executors that are left on "
            f"{self._context.master} cannot go on with it. Look at the Master's web page for Workers that are gone or "
            "taken, then run the same command again."
        )
        self._context.cancelAllJobs()
