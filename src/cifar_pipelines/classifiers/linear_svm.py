"""Linear support vector machine, one against the rest."""

from typing import Annotated

from pyspark.ml.classification import LinearSVC, OneVsRest

from cifar_pipelines.classifiers import Task, register
from cifar_pipelines.common.options import Range


@register
def linear_svm(
    task: Task, *, max_iter: Annotated[int, Range(0, 1_000_000)] = 30, reg_param: Annotated[float, Range(0)] = 0.01
) -> OneVsRest:
    """One linear SVM per class, since Spark's is binary; it gives margins, no probabilities.

    Args:
        task: What has to be learned.
        max_iter: Passes over the data per class.
        reg_param: Strength of the L2 penalty.
    """
    # PARALLEL(driver threads): as many classes train at once as there are cores, each as jobs of its own.
    return OneVsRest(classifier=LinearSVC(maxIter=max_iter, regParam=reg_param), parallelism=task.cores)
