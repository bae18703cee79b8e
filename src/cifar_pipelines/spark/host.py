"""How busy the host was while something was timed, and how much of that was somebody else."""

import os
import time

from cifar_pipelines.common.polling import Polling
from cifar_pipelines.spark.setting import affinity_cores

POLL_S = 1.0


class HostMeter:
    """Measures the host from its construction to `stop`.

    A load average cannot tell a noisy neighbour from the run itself; the CPU time that is not that of
    this process and its descendants can. They are looked at every second, because the time of a Python worker
    of Spark is lost when it ends: its parent does not wait for it.
    """

    def __init__(self) -> None:
        self._before = load_average()
        self._start = _host_seconds()
        self._spent: dict[tuple[int, float], float] = {}
        self._baseline = self._sample()
        self._polling = Polling(self._sample, POLL_S)
        self._polling.start()

    def stop(self) -> dict[str, float | None]:
        """Ends the measurement.

        Returns:
            `before` and `after`: load average of the last minute. `other_cpu_share`: CPU time of other
            processes over that of all the host's cores, 0 to 1.
        """
        self._polling.stop()
        wall, busy = (now - then for now, then in zip(_host_seconds(), self._start, strict=True))
        own = sum(seconds - self._baseline.get(process, 0.0) for process, seconds in self._spent.items())
        share = (busy - own) / max(wall * affinity_cores(), 1e-9)
        return {"before": self._before, "after": load_average(), "other_cpu_share": round(min(max(share, 0.0), 1.0), 3)}

    def _sample(self) -> dict[tuple[int, float], float]:
        """Notes the CPU seconds of this process and its descendants, by pid and start."""
        import psutil

        me = psutil.Process()
        for process in [me, *me.children(recursive=True)]:
            try:
                spent = process.cpu_times()
                self._spent[process.pid, process.create_time()] = spent.user + spent.system
            except psutil.NoSuchProcess:
                continue
        return dict(self._spent)


def _host_seconds() -> tuple[float, float]:
    """Wall clock, and CPU seconds of the whole host."""
    import psutil

    times = psutil.cpu_times()
    busy = sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)
    return time.monotonic(), busy


def load_average() -> float | None:
    """The host's load average of the last minute; None where the platform has none."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
