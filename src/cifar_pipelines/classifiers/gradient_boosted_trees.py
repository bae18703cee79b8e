"""Gradient-boosted trees, one against the rest."""

from typing import Annotated

from pyspark.ml.classification import GBTClassifier, OneVsRest

from cifar_pipelines.classifiers import Task, register
from cifar_pipelines.common.options import Range


@register
def gradient_boosted_trees(
    task: Task,
    *,
    rounds: Annotated[int, Range(0, 100_000)] = 10,
    max_depth: Annotated[int, Range(0, 30)] = 4,
    max_bins: Annotated[int, Range(2, 1_000_000)] = 16,
    step_size: Annotated[float, Range(0, 1, above=True)] = 0.1,
) -> OneVsRest:
    """One boosted ensemble per class, since Spark's is binary; slow, because trees follow one another.

    Args:
        task: What has to be learned.
        rounds: Trees per class.
        max_depth: Depth of a tree.
        max_bins: Thresholds that are tried per feature, less one.
        step_size: Shrinkage of each tree.
    """
    boosted = GBTClassifier(maxIter=rounds, maxDepth=max_depth, maxBins=max_bins, stepSize=step_size, seed=task.seed)
    # PARALLEL(driver threads): as many classes train at once as there are cores, each as jobs of its own.
    return OneVsRest(classifier=boosted, parallelism=task.cores)
