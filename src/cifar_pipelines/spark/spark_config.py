"""The configuration of Spark: what `spark.yml` says."""

from dataclasses import dataclass, field
from typing import Any

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import build
from cifar_pipelines.spark.cluster import EmbeddedClusterConfig

EMBEDDED = "embedded"


@dataclass(frozen=True)
class SparkConfig:
    """The contents of `conf/base/spark.yml`.

    Attributes:
        master: "embedded", or the address of a running standalone Master, `spark://host:port`.
        run_name: Leads the name of the Spark application and of the log folder; None for no name, a number where
            YAML reads one.
        executors_timeout_s: Seconds within which every executor must have registered.
        stall_timeout_s: Seconds without a running task after which a job on a Master that was there already ends.
        log_dir: Folder for the logs of the daemons and executors and for the event log.
        embedded: Where the embedded cluster listens.
        properties: Spark properties, passed on as they are.
    """

    master: str = EMBEDDED
    run_name: str | int | float | None = None
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
        config = build(cls, block, "conf/base/spark.yml")
        if config.master != EMBEDDED and not str(config.master).startswith("spark://"):
            raise UserError(
                f"spark_master is {config.master!r}, but must be '{EMBEDDED}' or a standalone Master's address such "
                "as spark://host:7077. local[N] is refused, because it ignores every executor setting."
            )
        return config
