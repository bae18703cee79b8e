"""What `spark.yml` says, and what a started session turned out to have."""

from dataclasses import dataclass, field
from typing import Any

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.spark.cluster import EmbeddedClusterConfig

EMBEDDED = "embedded"


@dataclass(frozen=True)
class SparkConfig:
    """The contents of `conf/base/spark.yml`.

    Attributes:
        master: "embedded", or the address of a running standalone Master, `spark://host:port`.
        run_name: Leads the name of the Spark application and of the log folder; None for no name.
        executors_timeout_s: Seconds within which every executor must have registered.
        stall_timeout_s: Seconds without a running task after which a job on a Master that was there already ends.
        log_dir: Folder for the logs of the daemons and executors and for the event log.
        embedded: Where the embedded cluster listens.
        properties: Spark properties, passed on as they are.
    """

    master: str = EMBEDDED
    run_name: str | None = None
    executors_timeout_s: float = 60.0
    stall_timeout_s: float = 45.0
    log_dir: str = "logs"
    embedded: EmbeddedClusterConfig = field(default_factory=EmbeddedClusterConfig)
    properties: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_config(cls, block: dict[str, Any]) -> "SparkConfig":
        """Builds the configuration from YAML.

        Raises:
            UserError: If a key is unknown or the master is no address.
        """
        block = dict(block)
        try:
            embedded = EmbeddedClusterConfig(**block.pop("embedded", {}))
            config = cls(**block, embedded=embedded)
        except TypeError as error:
            raise UserError(f"conf/base/spark.yml: {error}.") from None
        if config.master != EMBEDDED and not str(config.master).startswith("spark://"):
            raise UserError(
                f"spark_master is {config.master!r}, but must be '{EMBEDDED}' or a standalone Master's address such "
                "as spark://host:7077. local[N] is refused, because it ignores every executor setting."
            )
        return config


@dataclass(frozen=True)
class ClusterInfo:
    """What a run asked for and what it really got; the part of a run record on parallelism.

    Attributes:
        setting: Name of the setting, such as "exec_8x2".
        asked: Cores, memory and executors that were asked for.
        master: Address of the Master.
        embedded: Whether the run started the cluster itself.
        executors: Registered executors: id, host, cores.
        host_cores: Cores of the driver's host that this process may use.
        start_up_s: Seconds from nothing to all executors registered.
        log_dir: Folder of this run's Spark logs.
        application_id: Spark's id of the application.
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
        return self.embedded and self.cores > self.host_cores

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
