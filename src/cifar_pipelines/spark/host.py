"""How busy the host was while something was timed, and how much of that was somebody else."""

import os
from typing import Any

from cifar_pipelines.spark.parallelism import host_cores


class HostMeter:
    """Measures the host from its construction to `stop`.

    A load average cannot tell a noisy neighbour from the run itself; the CPU time that is not that of
    this process and its descendants can.
    """

    def __init__(self) -> None:
        self._before = load_average()
        self._start = _cpu_seconds()

    def stop(self) -> dict[str, float | None]:
        """Ends the measurement.

        Returns:
            `before` and `after`: load average of the last minute. `other_cpu_share`: CPU time of other
            processes over that of all the host's cores, 0 to 1.
        """
        wall, busy, own = (now - then for now, then in zip(_cpu_seconds(), self._start, strict=True))
        share = (busy - own) / max(wall * host_cores(), 1e-9)
        return {
            "before": self._before,
            "after": load_average(),
            "other_cpu_share": round(min(max(share, 0.0), 1.0), 3),
        }


def _cpu_seconds() -> tuple[float, float, float]:
    """Wall clock, CPU seconds of the host, CPU seconds of this process and its descendants."""
    import time

    import psutil

    times = psutil.cpu_times()
    busy = sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)
    me = psutil.Process()
    own = 0.0
    for process in [me, *me.children(recursive=True)]:
        try:
            spent: Any = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        own += spent.user + spent.system + spent.children_user + spent.children_system
    return time.monotonic(), busy, own


def load_average() -> float | None:
    """The host's load average of the last minute; None where the platform has none."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
