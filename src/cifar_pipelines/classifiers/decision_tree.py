"""Decision tree."""

from typing import Annotated

from pyspark.ml.classification import DecisionTreeClassifier

from cifar_pipelines.classifiers import Task, register
from cifar_pipelines.common.options import Range


@register
def decision_tree(
    task: Task, *, max_depth: Annotated[int, Range(0, 30)] = 10, max_bins: Annotated[int, Range(2, 1_000_000)] = 16
) -> DecisionTreeClassifier:
    """A single tree, the baseline of the tree family.

    Args:
        task: What has to be learned.
        max_depth: Depth of the tree.
        max_bins: Thresholds that are tried per feature, less one.
    """
    # PARALLEL(executors): every task fills the histograms of its partition for all nodes of a level.
    return DecisionTreeClassifier(maxDepth=max_depth, maxBins=max_bins, seed=task.seed)
