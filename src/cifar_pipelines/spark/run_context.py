"""The run that a node is part of."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cifar_pipelines.spark.cluster_info import ClusterInfo
    from cifar_pipelines.spark.setting import ParallelismSetting


@dataclass
class RunContext:
    """The run, as the catalog entry `run_context` gives it to nodes.

    Attributes:
        run_id: Kedro's id of the run, which is also the version of everything it saves.
        cluster: The effective cluster; None until the first node that needs Spark.
        setting: The parallelism setting that was asked for; None where no node needs Spark.
    """

    run_id: str
    cluster: "ClusterInfo | None" = None
    setting: "ParallelismSetting | None" = None
