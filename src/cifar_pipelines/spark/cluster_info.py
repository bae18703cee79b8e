"""The cluster that a run asked for, and the one that it got."""

from dataclasses import dataclass
from typing import Any

from cifar_pipelines.spark.setting import oversubscribes


@dataclass(frozen=True)
class ClusterInfo:
    """What a run asked for and what it really got; the part of a run record on parallelism.

    Attributes:
        setting: Name of the setting, such as "exec_8x2".
        asked: Cores, memory and executors that were asked for.
        embedded: Whether the run started the cluster itself.
        executors: Registered executors: id, host, cores.
        host_cores: Cores of the driver's host that this process may use.
        start_up_s: Seconds from nothing to all executors registered.
        log_dir: Folder of this run's Spark logs.
        properties: Spark properties that decide speed, as read back.
    """

    setting: str
    asked: dict[str, int]
    master: str
    embedded: bool
    executors: tuple[dict[str, Any], ...]
    host_cores: int
    start_up_s: float
    log_dir: str
    application_id: str
    properties: dict[str, str]

    @property
    def cores(self) -> int:
        """Cores of all registered executors."""
        return sum(executor["cores"] for executor in self.executors)

    @property
    def oversubscribed(self) -> bool:
        """Whether executors that share the driver's host use more cores than it has."""
        return self.embedded and oversubscribes(self.cores, self.host_cores)

    def for_record(self) -> dict[str, Any]:
        """The `parallelism` block of a run record."""
        return {
            "setting": self.setting,
            "asked": self.asked,
            "effective": {
                "master": self.master,
                "embedded": self.embedded,
                "executors": len(self.executors),
                "cores": self.cores,
                "hosts": sorted({executor["host"] for executor in self.executors}),
            },
            "host_cores": self.host_cores,
            "oversubscribed": self.oversubscribed,
            "application_id": self.application_id,
            "log_dir": self.log_dir,
            "properties": self.properties,
        }
