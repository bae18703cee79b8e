"""Random forest."""

from typing import Annotated

from pyspark.ml.classification import RandomForestClassifier

from cifar_pipelines.classifiers import Task, register
from cifar_pipelines.common.options import Range


@register
def random_forest(
    task: Task,
    *,
    trees: Annotated[int, Range(1, 100_000)] = 50,
    max_depth: Annotated[int, Range(0, 30)] = 10,
    max_bins: Annotated[int, Range(2, 1_000_000)] = 16,
    max_memory_mb: Annotated[int, Range(0, 1_000_000)] = 256,
) -> RandomForestClassifier:
    """Bagged decision trees that split on random features.

    Args:
        task: What has to be learned.
        trees: Number of trees.
        max_depth: Depth of a tree.
        max_bins: Thresholds that are tried per feature, less one.
        max_memory_mb: Memory for the histograms of one pass; more of it lets one pass grow more nodes.
    """
    # PARALLEL(executors): every task fills the histograms of its partition for many nodes of many trees at once.
    return RandomForestClassifier(
        numTrees=trees, maxDepth=max_depth, maxBins=max_bins, maxMemoryInMB=max_memory_mb, seed=task.seed
    )
