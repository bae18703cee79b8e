"""Decision tree."""

from pyspark.ml.classification import DecisionTreeClassifier

from cifar_pipelines.classifiers import Task, register


@register
def decision_tree(task: Task, *, max_depth: int = 10, max_bins: int = 16) -> DecisionTreeClassifier:
    """A single tree, the baseline of the tree family.

    Args:
        task: What has to be learned.
        max_depth: Depth of the tree.
        max_bins: Thresholds that are tried per feature, less one.
    """
    # PARALLEL(executors): every task fills the histograms of its partition for all nodes of a level.
    return DecisionTreeClassifier(maxDepth=max_depth, maxBins=max_bins, seed=task.seed)
